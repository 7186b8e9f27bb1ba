"""Every rule can fail, and knows what is fine."""

import pytest

import rules

LONG_FUNCTION = "namespace a {\nint f(int x) {\n" + "  ++x;\n" * 70 + "  return x;\n}\n}\n"
LONG_METHOD = "class A final : public B {\n public:\n  A() : b_{1}, c_(2) {\n" + "    go();\n" * 70 + "  }\n};\n"
LONG_LAMBDA = "void f() {\n  g([] {\n" + "    go();\n" * 70 + "  });\n}\n"
LONG_TABLE = "constexpr int kTable[] = {\n" + "  1,\n" * 90 + "};\n"
LONG_CLASS = "struct A {\n" + "  int x() { return 1; }\n" * 90 + "};\n"

BAD = [
    (rules.pure_core, "src/farm/a.cpp", "#include <mutex>\n"),
    (rules.pure_core, "src/farm/a.cpp", "#include <random>\n"),
    (rules.pure_core, "src/match/a.hpp", "#include <thread>\n"),
    (rules.pure_core, "src/match/a.cpp", "auto t = std::chrono::steady_clock::now();\n"),
    (rules.pure_core, "src/match/a.cpp", "#include <boost/asio/post.hpp>\n"),
    (rules.pure_core, "src/farm/a.cpp", "#include <sqlite3.h>\n"),
    (rules.layers, "src/base/a.cpp", '#include "farm/farm.hpp"\n'),
    (rules.layers, "src/farm/a.cpp", '#include "match/matcher.hpp"\n'),
    (rules.layers, "src/http/a.cpp", '#include "tunnel/tunnel.hpp"\n'),
    (rules.layers, "src/http/a.cpp", '#include "store/journal.hpp"\n'),
    (rules.layers, "src/superviser/a.hpp", '#include "http/server.hpp"\n'),
    (rules.layers, "src/tunnel/a.hpp", '#include "superviser/service.hpp"\n'),
    (rules.layers, "src/dryad/a.cpp", '#include "server/agents.hpp"\n'),
    (rules.layers, "src/cli/a.cpp", '#include "farm/types.hpp"\n'),
    (rules.layers, "src/client/a.cpp", '#include "cli/text.hpp"\n'),
    (rules.layers, "src/server/a.cpp", '#include "app/main.hpp"\n'),
    (rules.unknown_folder, "src/misc/a.cpp", "\n"),
    (rules.file_size, "src/base/a.cpp", "\n" * 501),
    (rules.function_size, "src/base/a.cpp", LONG_FUNCTION),
    (rules.function_size, "src/base/a.cpp", LONG_METHOD),
    (rules.function_size, "src/base/a.cpp", LONG_LAMBDA),
    (rules.pragma_once, "src/base/a.hpp", "namespace boruta {}\n"),
    (rules.using_namespace, "src/base/a.hpp", "#pragma once\nusing namespace std;\n"),
    (rules.using_namespace, "src/base/a.hpp", "namespace boruta {\nusing namespace std::chrono;\n}\n"),
    (rules.using_namespace, "src/base/a.hpp", "struct A {\n};\nusing namespace std;\n"),
    (rules.no_detached, "src/http/a.cpp", "asio::co_spawn(executor, run(),\n               asio::detached);\n"),
    (rules.awaited_capture, "src/http/a.cpp", "co_await read([&](View& view) { return view.at(id); });\n"),
    (rules.awaited_capture, "src/http/a.cpp", "const auto x = co_await (f([this] { g(); }) || sleep(1));\n"),
    (rules.awaited_capture, "src/http/a.cpp", "if (!co_await f(1,\n  [id = std::move(id)]() mutable -> Task<> {})) {}\n"),
    (rules.awaited_braces, "src/http/a.cpp", "co_await f(Options{1, 2});\n"),
    (rules.awaited_braces, "src/http/a.cpp", "co_return co_await f(x, {.a = 1});\n"),
    (rules.awaited_braces, "src/http/a.cpp", 'co_await f({"a", "b"});\n'),
    (rules.awaited_braces, "src/http/a.cpp", "co_await f(g(Options{}));\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "if (!co_await f(x)) co_return;\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "if (a(1) &&\n    g(co_await f(x)) == 2) co_return;\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "while (co_await f(x)) {}\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "do {\n} while (a && co_await f(x));\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "for (int i = 0; co_await f(i); ++i) {}\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "switch (co_await f(x)) {}\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "if (auto y = g(); co_await f(y)) co_return;\n"),
    (rules.open_ends, "src/base/a.cpp", "// TO" "DO: tidy up\n"),
    (rules.open_ends, "scripts/a", "# FIX" "ME\n"),
    (rules.elsewhere, "README.md", "see /wo" "rk/shared\n"),
    (rules.elsewhere, "README.md", "as told in issue" " #12\n"),
]

GOOD = [
    (rules.pure_core, "src/farm/a.cpp", "// Not <random>: a replay must choose alike.\nint x = known();\n"),
    (rules.pure_core, "src/server/a.cpp", "#include <mutex>\n"),
    (rules.layers, "src/http/a.cpp", '#include "server/coordinator.hpp"\n#include <boost/beast.hpp>\n'),
    (rules.layers, "src/http/a_test.cpp", '#include "store/memory_journal.hpp"\n'),
    (rules.layers, "src/app/a.cpp", '#include "tunnel/tunnel.hpp"\n#include "http/server.hpp"\n'),
    (rules.layers, "src/base/a.cpp", '// #include "farm/farm.hpp"\n'),
    (rules.unknown_folder, "src/app/a.cpp", "\n"),
    (rules.file_size, "src/base/a.cpp", "\n" * 500),
    (rules.function_size, "src/base/a.cpp", LONG_TABLE + LONG_CLASS),
    (rules.function_size, "src/base/a.cpp", "void f() {\n" + "  g();\n" * 68 + "}\n" + "void h() {\n" + "  g();\n" * 68 + "}\n"),
    (rules.function_size, "src/base/a.cpp", 'const char* a() { return "{"; }\n' + "int b;\n" * 90 + "// }\n"),
    (rules.using_namespace, "src/base/a.hpp", "inline void f() {\n  using namespace std::chrono_literals;\n}\n"),
    (rules.using_namespace, "src/base/a.cpp", "using namespace std::chrono_literals;\n"),
    (rules.no_detached, "src/runtime/a.cpp", "asio::co_spawn(executor, run(), asio::detached);\n"),
    (rules.no_detached, "src/http/a.cpp", "asio::co_spawn(executor, run(), asio::use_future);\n"),
    (rules.awaited_capture, "src/http/a.cpp", "auto look = [&](View& v) { return v.x; };\nco_await read(look);\n"),
    (rules.awaited_capture, "src/http/a.cpp", "co_await read([](View& v) { return v.x; });\n"),
    (rules.awaited_capture, "src/http/a.cpp", "co_await f(table[i]);\nauto g = [x] { return x; };\n"),
    (rules.awaited_braces, "src/http/a.cpp", "if (co_await f(x)) {\n  g(A{1});\n}\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "if (const bool ok = co_await f(x); !ok) co_return;\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "while (const auto y = co_await f(x)) co_await g(*y);\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "for (const auto& y : co_await f(x)) g(y);\n"),
    (rules.awaited_conditions, "src/http/a.cpp", "for (int i = co_await f(); i > 0; i = co_await f()) {}\n"),
    (rules.awaited_braces, "src/http/a.cpp", "co_await read([](View& v) { return A{v.x}; });\n"),
    (rules.open_ends, "src/base/a.cpp", "// TO" "DO(ada): drop when GCC 13 is the oldest\n"),
    (rules.elsewhere, "README.md", "an issue of trust; /var/lib/boruta/work\n"),
]


@pytest.mark.parametrize("rule,path,text", BAD, ids=lambda value: getattr(value, "__name__", None))
def test_a_rule_finds_what_breaks_it(rule, path, text):
    assert rule(path, text)


@pytest.mark.parametrize("rule,path,text", GOOD, ids=lambda value: getattr(value, "__name__", None))
def test_a_rule_leaves_the_rest_alone(rule, path, text):
    assert rule(path, text) == []


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, _, _ in BAD} == set(rules.FOR_CODE + rules.FOR_ALL)


def test_findings_name_the_line():
    assert rules.awaited_braces("src/a/b.cpp", "int x;\n\nco_await f(A{});\n")[0][0] == 3
