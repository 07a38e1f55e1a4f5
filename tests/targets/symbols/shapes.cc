// SPDX-License-Identifier: Apache-2.0
// Names with namespaces, templates, operators and lambdas.
#include <algorithm>
#include <string>
#include <vector>

namespace shapes {
namespace {
int hidden(const std::vector<int> &values)
{
	int sum = 0;

	for (int value : values)
		sum += value;
	return sum;
}
} // namespace

template <typename T> struct Box {
	T value;
	__attribute__((noinline)) T twice() const { return value + value; }
	__attribute__((noinline)) bool operator<(const Box &other) const
	{
		return value < other.value;
	}
};

__attribute__((noinline)) std::string describe(const std::vector<int> &values, int least)
{
	std::vector<int> kept;

	std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
		     [least](int value) { return value >= least; });
	std::sort(kept.begin(), kept.end(), [](int a, int b) { return b < a; });
	return std::to_string(hidden(kept));
}
} // namespace shapes

extern "C" int shapes_run(int n)
{
	std::vector<int> values(static_cast<size_t>(n), n);
	shapes::Box<int> box{n};
	shapes::Box<double> other{0.5};

	return static_cast<int>(shapes::describe(values, 1).size()) + box.twice() +
	       (box < shapes::Box<int>{3}) + static_cast<int>(other.twice());
}
