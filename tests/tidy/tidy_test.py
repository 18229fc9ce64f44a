#!/usr/bin/python3
"""Each rule on a small tree that breaks it, and on one that does not."""
import pathlib
import shutil
import tempfile
import textwrap
import unittest

import clang_format
import cpp_text
import rules_code
import rules_docs
import rules_text
import rules_tools
import tidy
from tree import Tree


class RuleTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="repld-tidy-test-")
        self.addCleanup(place.cleanup)
        self.root = pathlib.Path(place.name)

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")

    def found(self, *rules):
        """path:line of what the rules find."""
        return [f"{each.path}:{each.line}" for each in tidy.findings(Tree(self.root), rules)]


class Code(RuleTest):
    def test_core_includes_itself_and_the_standard_library(self):
        self.write("lib/core/a.cpp", '#include "core/b.hpp"\n#include <vector>\n')
        self.assertEqual(self.found(rules_code.core_is_pure), [])
        self.write("lib/core/a.cpp", '#include "net/b.hpp"\n#include <thread>\n#include <unistd.h>\n#include <map>\n')
        self.assertEqual(self.found(rules_code.core_is_pure), [f"lib/core/a.cpp:{line}" for line in (1, 2, 3)])

    def test_folders_of_lib_form_no_cycle(self):
        self.write("lib/storage/a.hpp", '#include "process/b.hpp"\n')
        self.write("lib/process/b.hpp", '#include "net/spawn.hpp"\n')
        self.write("lib/net/spawn.hpp", "\n")
        self.assertEqual(self.found(rules_code.includes_go_one_way), [])
        self.write("lib/process/b.hpp", '\n#include "storage/a.hpp"\n')
        self.assertEqual(self.found(rules_code.includes_go_one_way), ["lib/process/b.hpp:2", "lib/storage/a.hpp:1"])

    def test_net_and_postgres_are_apart(self):
        self.write("lib/net/asio.hpp", "\n")
        self.write("lib/net/tls.hpp", "\n")
        self.write("lib/postgres/a.cpp", '#include "net/asio.hpp"\n#include "net/tls.hpp"\n')
        self.assertEqual(self.found(rules_code.includes_go_one_way), ["lib/postgres/a.cpp:2"])

    def test_nothing_in_lib_includes_a_program(self):
        self.write("daemon/daemon.hpp", "\n")
        self.write("lib/net/a.cpp", '#include "daemon/daemon.hpp"\n#include "daemon.hpp"\n#include "../cli/b.hpp"\n')
        self.assertEqual(self.found(rules_code.includes_go_one_way), [f"lib/net/a.cpp:{line}" for line in (1, 2, 3)])

    def test_programs_do_not_include_each_other(self):
        self.write("daemon/version.hpp.in", "\n")
        self.write("cli/text.hpp", "\n")
        self.write("daemon/a.cpp", '#include "version.hpp"\n#include "cli/text.hpp"\n#include "text.hpp"\n')
        self.assertEqual(self.found(rules_code.programs_are_apart), ["daemon/a.cpp:2", "daemon/a.cpp:3"])

    def test_asio_is_included_in_one_place(self):
        self.write("lib/net/asio.hpp", "#include <boost/asio/ip/tcp.hpp>\n")
        self.write("tests/a.cpp", "#include <boost/asio.hpp>\n")
        self.assertEqual(self.found(rules_code.asio_has_one_door), ["tests/a.cpp:1"])

    def test_forbidden_calls(self):
        bad = ("std::this_thread::sleep_for(1s);", "::usleep(1);", 'std::system("ls");', 'system("ls");',
               'popen("ls", "r");', "std::chrono::system_clock::now();", "std::rand();", "gettimeofday(&t, nullptr);")
        good = ("// popen( is refused", 'log("system( clock");', "file_system(x);", "a.system(x);", "strand(x);")
        self.write("cli/a.cpp", "\n".join(bad + good) + "\n")
        self.assertEqual(self.found(rules_code.forbidden_calls), [f"cli/a.cpp:{i}" for i in range(1, len(bad) + 1)])

    def test_the_core_reads_no_clock(self):
        for path in ("lib/core/a.cpp", "lib/net/a.cpp", "tests/a.cpp"):
            self.write(path, "\nauto t = std::chrono::steady_clock::now();\n")
        self.assertEqual(self.found(rules_code.forbidden_calls), ["lib/core/a.cpp:2"])

    def test_lengths(self):
        self.write("lib/net/long.cpp", "int a;\n" * (rules_code.FILE_LINES + 1))
        self.write("lib/net/wide.cpp", "\n// " + "x" * rules_code.COLUMNS + "\n")
        body = "    g();\n" * (rules_code.FUNCTION_LINES - 2)
        self.write("lib/net/fits.cpp", "void f() {\n" + body + "}\n")
        self.write("lib/net/deep.cpp", "\nnamespace x {\nvoid f() {\n    g();\n" + body + "}\n}\n")
        self.write("tests/deep.py", "def f():\n" + "    g()\n" * rules_code.FUNCTION_LINES)
        self.assertEqual(self.found(rules_code.files_are_short), [f"lib/net/long.cpp:{rules_code.FILE_LINES + 1}"])
        self.assertEqual(self.found(rules_code.lines_fit), ["lib/net/wide.cpp:2"])
        self.assertEqual(self.found(rules_code.functions_are_short), ["lib/net/deep.cpp:3", "tests/deep.py:1"])

    def test_headers(self):
        self.write("lib/net/a.hpp", "// a\n#pragma once\n")
        self.write("lib/net/b.hpp", "// #pragma once\n")
        self.assertEqual(self.found(rules_code.headers_have_pragma_once), ["lib/net/b.hpp:1"])


class Cpp(unittest.TestCase):
    def functions(self, text):
        return list(cpp_text.functions_of(cpp_text.code_of(textwrap.dedent(text))))

    def test_comments_and_literals_are_blanked_in_place(self):
        code = cpp_text.code_of('a("x//y"); // b\n/* c\n*/ d(\'"\', R"(e\n)"); 1\'000;\n')
        words = [line.split() for line in code.splitlines()]
        self.assertEqual(words, [["a(", ");"], [], ["d(", ","], [");", "1'000;"]])

    def test_functions(self):
        self.assertEqual(self.functions("""\
            #define twice(x) { x; x; }
            namespace a {
            struct b : c<int> {
                b(int x) : x_{x}, y_(x) {
                    f();
                }
                int x_{0}, y_ = 1;
                bool operator==(const b&) const { return true; }
            };
            enum class e { one, two };
            const std::map<int, int> table = {{1, 2}, {f(3), 4}};
            template <class T>
            auto free(T t) -> int
            {
                auto g = [&](int i) { if (i) { h(); } };
                return g(t);
            }
            }
            """), [("b", 4, 3), ("operator==", 8, 1), ("free", 12, 6)])


class Text(RuleTest):
    def test_whitespace(self):
        self.write("a.sh", "#!/bin/sh\ntrue \nif\ttrue\nend")
        self.assertEqual(self.found(rules_text.clean_whitespace), ["a.sh:2", "a.sh:3", "a.sh:4"])

    def test_unfinished_words(self):
        words = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "a stu" + "b", "unimple" + "mented")
        self.write("a.cpp", "".join(f"// {word}\n" for word in words) + 'mkstemp("fileXXXXXX");\n')
        self.write("a.md", words[0] + "\n")
        self.assertEqual(self.found(rules_text.finished), [f"a.cpp:{i}" for i in range(1, len(words) + 1)])

    def test_places_and_authors(self):
        bad = ("cd /wo" + "rk/x", "HOME=/ro" + "ot/x", "by Cla" + "ude", "an AI " + "agent")
        self.write("a.md", "\n".join(bad) + "\nbuild/work/x $dir/work/x\n")
        self.assertEqual(self.found(rules_text.belongs_to_nobody), [f"a.md:{i}" for i in range(1, len(bad) + 1)])


class Docs(RuleTest):
    def test_readme_per_folder(self):
        self.write("lib/a/a.cpp", "\n")
        self.write("lib/b/b.cpp", "\n")
        self.write("lib/b/README.md", "# b\n")
        self.assertEqual(self.found(rules_docs.folders_have_readme), ["lib/a/README.md:1"])

    def test_links(self):
        self.write("README.md", """\
            # The Title, said
            [a](lib/a.md) [b](lib/a.md#two-words) [c](#the-title-said) [d](https://example.org/x)
            [e](lib/b.md)
            [f](lib/a.md#three)
            ```
            [g](in/code.md)
            ```
            """)
        self.write("lib/a.md", "## Two words\n")
        self.assertEqual(self.found(rules_docs.links_lead_somewhere), ["README.md:3", "README.md:4"])

    def test_tables(self):
        self.write("lib/a/one.hpp", "\n")
        self.write("lib/a/cmd_x.cpp", "\n")
        self.write("lib/a/README.md", """\
            | file | what |
            |---|---|
            | `one`, `cmd_*` | `not_a_file` |
            | `two` | gone |

            | name | what |
            |---|---|
            | `register.json` | made at run time |
            """)
        self.assertEqual(self.found(rules_docs.tables_name_what_exists), ["lib/a/README.md:4"])

    def test_paths_in_prose(self):
        self.write("lib/net/asio.hpp", "\n")
        self.write("docs/a.md", "`lib/net/asio.hpp` `net/gone.hpp` `../lib/net`\n`lib/gone` `tests/x.py -k y`\n")
        self.assertEqual(self.found(rules_docs.paths_in_prose_exist), ["docs/a.md:2"] * 2)


class Tools(RuleTest):
    @unittest.skipUnless(shutil.which("shellcheck"), "no shellcheck")
    def test_shell(self):
        self.write("run", "#!/bin/sh\ncd $1 || exit\n")
        self.write("good.sh", '#!/bin/sh\ncd "$1" || exit\n')
        self.assertEqual(self.found(rules_tools.scripts_pass_shellcheck), ["run:2"])

    @unittest.skipUnless(rules_tools.systemd_works(), "no systemd-analyze")
    def test_units(self):
        self.write("good.service", "[Service]\nExecStart=/nowhere/program --flag\n")
        self.write("bad.service", "[Service]\nExecStart=/bin/true\nRestrat=always\n")
        self.assertEqual(self.found(rules_tools.units_pass_systemd), ["bad.service:3"])

    @unittest.skipUnless(clang_format.program(), "no clang-format of that version")
    def test_format(self):
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.write("good.cpp", "int a;\n")
        self.write("bad.cpp", "int a;\nint  b;\n")
        self.assertEqual(clang_format.differing(Tree(self.root), clang_format.program()), {"bad.cpp": [2]})


class Everything(RuleTest):
    def test_every_rule_is_run(self):
        for module in (rules_code, rules_text, rules_docs, rules_tools):
            self.assertTrue(set(module.RULES) <= set(tidy.RULES))

    def test_exit_codes(self):
        self.write("README.md", "# r\n")
        self.assertEqual(tidy.main([str(self.root)]), 0)
        self.write("README.md", "# r \n")
        self.assertEqual(tidy.main([str(self.root)]), 1)
        self.assertEqual(tidy.main([str(self.root / "gone")]), 2)


if __name__ == "__main__":
    unittest.main()
