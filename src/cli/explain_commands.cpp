#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "cli/explain_views.hpp"

namespace boruta::cli {
namespace {

struct ExplainArguments {
  std::vector<std::string> words;
  unsigned priority = 8;
};

client::NewRequest unfiled(const ExplainArguments& arguments) {
  const auto demand = need_argument(parse_demand(arguments.words));
  client::NewRequest wanted;
  wanted.caps = demand.caps;
  wanted.requirements = requirement_texts(demand.requirements);
  wanted.priority = arguments.priority;
  return wanted;
}

/// One word of digits is a request; everything else is what one might ask for.
Task<int> explain(Session* session, ExplainArguments arguments) {
  const auto is_number = [](const std::string& word) { return !word.empty() && std::ranges::all_of(word, is_digit); };
  client::Answer<client::Reply<client::ExplanationInfo>> answer;
  if (arguments.words.size() == 1 && is_number(arguments.words.front())) {
    const auto id = need_argument(parse_request_id(arguments.words.front()));
    answer = co_await session->api().explain(id, true);
  } else {
    answer = co_await session->api().explain(unfiled(arguments));
  }
  const auto explanation = session->need(std::move(answer));
  if (session->json()) {
    session->print_line(explanation.json);
  } else {
    session->print(describe_explanation(explanation.value, session->now()));
  }
  co_return 0;
}

Task<int> show_free(Session* session, ExplainArguments arguments) {
  auto wanted = unfiled(arguments);
  const auto asked = describe_demand(wanted.caps, wanted.requirements);
  const auto explanation = session->need(co_await session->api().explain(std::move(wanted)));
  if (session->json()) {
    session->print_line(explanation.json);
    co_return 0;
  }
  if (explanation.value.fits == 0) throw CliError(ExitCode::kNothingFits, explain_no_fit(explanation.value, asked));
  session->print_line(describe_free(explanation.value, session->now()));
  co_return 0;
}

void add_words(CLI::App* command, std::vector<std::string>& words, const char* description) {
  command->add_option("WHAT", words, description)->option_text("...");
}

}  // namespace

void add_explain_commands(CLI::App* app, CommandLine* line) {
  auto explained = std::make_shared<ExplainArguments>();
  auto* command = add_command(app, "explain", "Tell why a request waits, or would, and how long at most",
                              "boruta explain 42\n  boruta explain board=rpi4 'ram>=4GiB'");
  add_words(command, explained->words, "Number of a request, or what you might ask for");
  command->add_option("--priority", explained->priority, "Of a request that is not filed: 1 (most important) to 16")
      ->check(CLI::Range(1, 16))
      ->option_text("1..16 [8]");
  on_chosen(command, line, explained, &explain);

  auto free = std::make_shared<ExplainArguments>();
  auto* show = add_command(app, "free", "Tell whether a worker is free, or when one will be",
                           "boruta free board=odroid-n2 'ram>=4GiB'");
  add_words(show, free->words, "What the worker must have");
  on_chosen(show, line, free, &show_free);
}

}  // namespace boruta::cli
