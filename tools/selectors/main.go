// SPDX-License-Identifier: Apache-2.0

// Selectors asks Prometheus' own parser and matchers about every selector of its table, and writes what they say as a
// table in C: tests/unit/profile/selector_cases.inc. Run it here: go run . >../../tests/unit/profile/selector_cases.inc
package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// The label set that all of them are tried on; the test has the same.
var set = labels.FromStrings("__name__", "cpu", "env", "prod", "host", "db-12", "lines", "a\nb", "size", "Größe", "odd name", "x",
	"quote", `a"b\c`, "digits", "007", "mixed", "Foo_Bar")

var grammar = []string{
	// names, braces, commas, white space, comments
	`{}`, `cpu`, `cpu{}`, ` cpu { } `, `wall`, `wall{}`, `{env="prod"}`, `{env="prod",}`, `{env="prod",,}`, `{,}`, `{,env="prod"}`,
	`{env="prod" host="db-12"}`, `{env="prod",host="db-12"}`, `{ env = "prod" , host = "db-12" , }`, "{\n\tenv\t=\n\"prod\"\n}",
	"{env=\"prod\" # a comment\n, host=\"db-12\"}", "# first\n{env=\"prod\"}", `{env="prod"} # last`, "{env=\"prod\" # \" }\n}",
	`{env="#"}`, `{`, `}`, `{}}`, `{{}}`, `{env}`, `{env=}`, `{="prod"}`, `{env="prod"`, `{env="prod}`, `cpu wall`, `cpu{}x`, `1cpu`,
	`cpu:wall`, `:cpu`, `{1env="x"}`, `{_env=""}`, `{env:x="y"}`, `{env-x="y"}`, `{env.x=""}`, `{"env.x"=""}`, `{Env="prod"}`,
	// operators
	`{env!="prod"}`, `{env!="x"}`, `{env=~"prod"}`, `{env!~"prod"}`, `{env!~"x"}`, `{env=="prod"}`, `{env<>"prod"}`, `{env~"prod"}`,
	`{env=!"prod"}`, `{env= ~"prod"}`, `{env! ="prod"}`, `{env="prod",env!="x"}`, `{env="prod",env="x"}`,
	// what is not there
	`{absent=""}`, `{absent!=""}`, `{absent="x"}`, `{absent!="x"}`, `{absent=~""}`, `{absent=~".*"}`, `{absent=~".+"}`, `{absent!~".+"}`,
	`{absent!~""}`, `{env=""}`, `{env!=""}`, `{env=~""}`, `{env!~""}`, `{env=~"|prod"}`, `{absent=~"|x"}`,
	// quotes and names in quotes
	`{env='prod'}`, "{env=`prod`}", `{"env"="prod"}`, `{'env'='prod'}`, "{`env`=`prod`}", `{"odd name"="x"}`, `{odd name="x"}`,
	`{"cpu"}`, `{"cpu",env="prod"}`, `{env="prod","cpu"}`, `{"wall"}`, `cpu{"cpu"}`, `{"cpu","cpu"}`, `{__name__="cpu"}`, `cpu{__name__="x"}`,
	`{"größe"=""}`, `{größe=""}`, `{""="x"}`, `{"env"}`, `{"env"=~"p.*"}`, `{"en\x76"="prod"}`,
	// escapes, in each kind of quote
	`{env="\x70rod"}`, `{env="\160rod"}`, `{env="\u0070rod"}`, `{env="\U00000070rod"}`, `{quote="a\"b\\c"}`, `{quote='a"b\\c'}`,
	"{quote=`a\"b\\c`}", `{quote="a\'b"}`, `{quote='a\'b'}`, `{quote='a\"b'}`, `{lines="a\nb"}`, `{lines='a\nb'}`, "{lines=`a\\nb`}",
	"{lines=`a\nb`}", "{lines=\"a\nb\"}", "{lines='a\nb'}", `{env="\a\b\f\n\r\t\v"}`, `{env="\q"}`, `{env="\x7"}`, `{env="\18"}`,
	`{env="\777"}`, `{env="\u12"}`, `{env="\ud800"}`, `{env="\U00110000"}`, `{env="\"}`, `{size="Gr\u00f6\u00dfe"}`, `{size="Größe"}`,
	`{size="Gr\xc3\xb6\xc3\x9fe"}`, `{env="\xff"}`, `{env=""prod}`, `{env="pr" "od"}`,
}

// patterns are tried as {label=~`pattern`}: the syntax of RE2, and what Prometheus makes of it (anchored, . takes newlines).
var patterns = []struct{ label, pattern string }{
	{"env", `prod`}, {"env", `pro`}, {"env", `rod`}, {"env", `^prod$`}, {"env", `^pro`}, {"env", `^^prod$$`}, {"env", `prod|x`},
	{"env", `x|prod`}, {"env", `pro|d`}, {"env", `(pro|x)d`}, {"env", `(?:pro|x)d`}, {"env", `(?P<n>pro)d`}, {"env", `(?<n>pro)d`},
	{"env", `p.od`}, {"env", `p..d`}, {"env", `p.*`}, {"env", `p.+`}, {"env", `p.*?`}, {"env", `p.+?d`}, {"env", `.*`}, {"env", `.+`},
	{"env", `p{1}rod`}, {"env", `p{2}rod`}, {"env", `p{0,2}rod`}, {"env", `p{1,}rod`}, {"env", `p{1,}?rod`}, {"env", `p{,2}rod`},
	{"env", `p{1001}rod`}, {"env", `p{2,1}`}, {"env", `x?prod`}, {"env", `x??prod`}, {"env", `x*prod`}, {"env", `p++rod`}, {"env", `p**`},
	{"env", `*prod`}, {"env", `+`}, {"env", `?`}, {"env", `(`}, {"env", `)`}, {"env", `()prod`}, {"env", `[`}, {"env", `]`}, {"env", `[]`},
	{"env", `[p]rod`}, {"env", `[^x]rod`}, {"env", `[a-z]+`}, {"env", `[z-a]`}, {"env", `[A-Z]+`}, {"env", `(?i)PROD`}, {"env", `(?i:PR)od`},
	{"env", `PR(?i)od`}, {"env", `(?-i)prod`}, {"env", `(?i)(?-i)PROD`}, {"env", `(?s)p.od`}, {"env", `(?m)^prod$`}, {"env", `(?U)p.*`},
	{"env", `(?x)p r o d`}, {"env", `[[:alpha:]]+`}, {"env", `[[:lower:]]+`}, {"env", `[[:upper:]]+`}, {"env", `[[:^digit:]]+`},
	{"env", `[[:word:]]+`}, {"env", `[[:nosuch:]]`}, {"env", `\w+`}, {"env", `\W+`}, {"env", `\D+`}, {"env", `\S+`}, {"env", `\pL+`},
	{"env", `\p{L}+`}, {"env", `\p{Ll}+`}, {"env", `\p{Lu}+`}, {"env", `\PN+`}, {"env", `\p{^N}+`}, {"env", `\p{Greek}+`},
	{"env", `\p{Latin}+`}, {"env", `\p{NoSuch}`}, {"env", `\Aprod\z`}, {"env", `prod\Z`}, {"env", `\bprod\b`}, {"env", `\Bprod`},
	{"env", `p\Brod`}, {"env", `\Qprod\E`}, {"env", `\Qp.od\E`}, {"env", `\Qprod`}, {"env", `\x70rod`}, {"env", `\x{70}rod`},
	{"env", `\160rod`}, {"env", `\0`}, {"env", `\1`}, {"env", `(p)\1`}, {"env", `\Cprod`}, {"env", `p\Cod`}, {"env", `\k<n>`},
	{"env", `(?=prod)prod`}, {"env", `(?!x)prod`}, {"env", `(?<=x)`}, {"env", `(?>prod)`}, {"env", `(?#comment)prod`}, {"env", `\`},
	{"env", `\a`}, {"env", `\y`}, {"env", `\_`}, {"env", `\-`}, {"env", ``}, {"env", `|`}, {"env", `prod|`}, {"env", `()`},
	{"host", `db-\d+`}, {"host", `db-[0-9]{2}`}, {"host", `db-[[:digit:]]+`}, {"host", `db-\d`}, {"host", `(db|web)-\d\d`},
	{"host", `[\w-]+`}, {"host", `[-\w]+`}, {"host", `[a-z-]+\d*`}, {"host", `db\-12`}, {"host", `db.12`}, {"host", `db-1[^3-9]`},
	{"host", `db-(?:1|2)+`}, {"host", `db-(1|2){2}`}, {"host", `db-12\b`}, {"host", `[^[:space:]]+`}, {"host", `[\d[:alpha:]-]+`},
	{"lines", `a.b`}, {"lines", `a\nb`}, {"lines", `a\sb`}, {"lines", `.*`}, {"lines", `.+`}, {"lines", `a$`}, {"lines", `(?m)a$.^b`},
	{"lines", `(?m)^a$\n^b$`}, {"lines", `(?-s)a.b`}, {"lines", `(?-s:.*)`}, {"lines", `a[^x]b`}, {"lines", `[[:print:]]+`},
	{"size", `Größe`}, {"size", `Gr..e`}, {"size", `Gr.{2}e`}, {"size", `Gr.{4}e`}, {"size", `\w+`}, {"size", `\pL+`}, {"size", `(?i)gRÖSSE`},
	{"size", `(?i)gRÖßE`}, {"size", `Gr[ö-ü]ße`}, {"size", `Gr\x{f6}ße`}, {"size", `[[:alpha:]]+`}, {"size", `\p{Lu}\p{Ll}+`},
	{"quote", `a"b\\c`}, {"quote", `a.b.c`}, {"quote", `a[\\"]b[\\"]c`}, {"digits", `0*7`}, {"digits", `\d{3}`}, {"digits", `[[:xdigit:]]+`},
	{"digits", `\p{Nd}+`}, {"digits", `7`}, {"mixed", `(?i)foo_bar`}, {"mixed", `(?i)[a-z]+_[a-z]+`}, {"mixed", `[A-z]+`}, {"mixed", `Foo.Bar`},
	{"mixed", `(Foo|Bar|_)+`}, {"mixed", `((((Foo))))_Bar`}, {"mixed", `(?i)FOO.*`},
	{"absent", `()`}, {"absent", `x?`}, {"absent", `^$`}, {"absent", `.`}, {"absent", `[^x]`}, {"absent", `[^x]*`},
}

func verdict(selector string) string {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return "REFUSED"
	}
	for _, matcher := range matchers {
		if !matcher.Matches(set.Get(matcher.Name)) {
			return "OTHERS"
		}
	}
	return "TAKEN"
}

// inC quotes for C: octal escapes end after three digits, those in hexadecimal do not.
func inC(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c < ' ' || c > '~' || c == '?':
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			out.WriteByte(c)
		}
	}
	return `"` + out.String() + `"`
}

func main() {
	model.NameValidationScheme = model.UTF8Validation //nolint:staticcheck
	fmt.Println("/* SPDX-License-Identifier: Apache-2.0 */")
	fmt.Println("/* Made by tools/selectors (go run . >../../tests/unit/profile/selector_cases.inc) from Prometheus v0.311.3; not to be edited. */")
	for _, selector := range grammar {
		fmt.Printf("{%s, %s},\n", inC(selector), verdict(selector))
	}
	for _, each := range patterns {
		selector := fmt.Sprintf("{%s=~`%s`}", each.label, each.pattern)
		fmt.Printf("{%s, %s},\n", inC(selector), verdict(selector))
		selector = fmt.Sprintf("{%s!~`%s`}", each.label, each.pattern)
		fmt.Printf("{%s, %s},\n", inC(selector), verdict(selector))
	}
}
