// SPDX-License-Identifier: Apache-2.0
// Shapes of C++: namespaces, templates, methods, lambdas, exceptions.
#include <stdexcept>

#include "metal.h"

extern "C" {
METAL_SHAPE long metal_cpp_call(metal_callback callback, long n);
METAL_SHAPE long metal_cpp_throw(metal_callback callback, long n);
}

namespace metal
{

METAL_SHAPE long work(long n)
{
	volatile unsigned long sum = 1;

	for (long i = 0; i < n; i++)
		sum = sum * 2862933555777941757u + 3037000493u;
	return static_cast<long>(sum & 1);
}

template <typename T> class worker
{
public:
	explicit worker(T n) : n_(n) {}
	METAL_SHAPE T run(metal_callback callback)
	{
		return (callback ? callback(n_) : work(n_)) + 1;
	}

private:
	T n_;
};

struct unhappy : std::runtime_error {
	using std::runtime_error::runtime_error;
};

METAL_SHAPE void fail(metal_callback callback, long n)
{
	long result = callback ? callback(n) : work(n);

	throw unhappy(result ? "odd" : "even");
}

// Has something to clean up while the exception passes.
METAL_SHAPE long pass(metal_callback callback, long n)
{
	struct guard {
		long &value;
		~guard() { value = value + 1; }
	};
	long value = work(1);
	guard guarded{value};

	fail(callback, n);
	return value;
}

} // namespace metal

long metal_cpp_call(metal_callback callback, long n)
{
	return metal::worker<long>(n).run(callback) + 1;
}

long metal_cpp_throw(metal_callback callback, long n)
{
	try {
		return metal::pass(callback, n);
	} catch (const metal::unhappy &error) {
		return error.what()[0];
	}
}
