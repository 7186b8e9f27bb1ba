#include "cli/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace boruta::cli {
namespace {

struct Entry {
  std::string word;
  std::string description;
};

/// One command: what may follow it.
struct Node {
  /// "" for the program itself, "workers", "workers enable".
  std::string path;
  std::vector<Entry> commands;
  std::vector<Entry> options;
};

/// Those of the command, and of those above it, which it takes as well.
std::vector<Entry> options_of(const CLI::App& app) {
  std::vector<Entry> entries;
  for (const auto* at = &app; at != nullptr; at = at->get_parent()) {
    for (const auto* option : at->get_options()) {
      for (const auto& name : option->get_lnames()) {
        const bool only_there = name == "help" || name == "version";
        if (at == &app || !only_there) entries.push_back({fmt::format("--{}", name), option->get_description()});
      }
    }
  }
  return entries;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{.path = path, .commands = {}, .options = options_of(app)};
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* child : children) node.commands.push_back({child->get_name(), child->get_description()});
  nodes.push_back(std::move(node));
  for (const auto* child : children) {
    collect(*child, path.empty() ? child->get_name() : fmt::format("{} {}", path, child->get_name()), nodes);
  }
}

std::string words_of(const std::vector<Entry>& entries) {
  std::string words;
  for (const auto& entry : entries) words += (words.empty() ? "" : " ") + entry.word;
  return words;
}

std::string bash_cases(const std::vector<Node>& nodes, const char* indent) {
  std::string cases;
  for (const auto& node : nodes) {
    auto words = words_of(node.commands);
    const auto options = words_of(node.options);
    if (!words.empty() && !options.empty()) words.push_back(' ');
    cases += fmt::format("{}\"{}\") words=\"{}{}\" ;;\n", indent, node.path, words, options);
  }
  return cases;
}

/// All paths that lead to a command, to follow what was typed.
std::string bash_paths(const std::vector<Node>& nodes) {
  std::string paths;
  for (const auto& node : nodes) {
    if (!node.path.empty()) paths += fmt::format("{}\"{}\"", paths.empty() ? "" : "|", node.path);
  }
  return paths;
}

std::string bash_script(const std::vector<Node>& nodes) {
  return fmt::format(R"(# bash completion for boruta: source <(boruta completion bash)
_boruta() {{
  local path="" word next words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    [[ "$word" == "--" ]] && return
    [[ "$word" == -* ]] && continue
    next="${{path:+$path }}$word"
    case "$next" in
      {}) path="$next" ;;
    esac
  done
  case "$path" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _boruta boruta
)",
                     bash_paths(nodes), bash_cases(nodes, "    "));
}

std::string zsh_script(const std::vector<Node>& nodes) {
  return fmt::format(R"(#compdef boruta
# zsh completion for boruta: source <(boruta completion zsh)
_boruta() {{
  local path_typed="" word next words_known="" i
  for ((i = 2; i < CURRENT; i++)); do
    word="${{words[i]}}"
    [[ "$word" == "--" ]] && {{ _files; return }}
    [[ "$word" == -* ]] && continue
    next="${{path_typed:+$path_typed }}$word"
    case "$next" in
      {}) path_typed="$next" ;;
    esac
  done
  local words=""
  case "$path_typed" in
{}  esac
  compadd -- ${{=words}} || _files
}}
compdef _boruta boruta
)",
                     bash_paths(nodes), bash_cases(nodes, "    "));
}

std::string fish_quoted(std::string text) {
  text = text.substr(0, text.find(';'));
  std::string quoted = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') quoted.push_back('\\');
    quoted.push_back(letter);
  }
  return quoted + "'";
}

std::string fish_condition(const Node& node) {
  if (node.path.empty()) return "__fish_use_subcommand";
  const auto space = node.path.find(' ');
  auto condition = fmt::format("__fish_seen_subcommand_from {}", node.path.substr(0, space));
  if (space != std::string::npos) {
    condition += fmt::format("; and __fish_seen_subcommand_from {}", node.path.substr(space + 1));
  }
  return condition;
}

std::string fish_script(const std::vector<Node>& nodes) {
  std::string script = "# fish completion for boruta: boruta completion fish | source\n";
  for (const auto& node : nodes) {
    const auto condition = fish_condition(node);
    for (const auto& entry : node.commands) {
      script += fmt::format("complete -c boruta -f -n '{}' -a {} -d {}\n", condition, entry.word,
                            fish_quoted(entry.description));
    }
    for (const auto& entry : node.options) {
      script += fmt::format("complete -c boruta -n '{}' -l {} -d {}\n", condition, entry.word.substr(2),
                            fish_quoted(entry.description));
    }
  }
  return script;
}

}  // namespace

std::expected<std::string, std::string> completion_script(const CLI::App& app, std::string_view shell) {
  std::vector<Node> nodes;
  collect(app, "", nodes);
  if (shell == "bash") return bash_script(nodes);
  if (shell == "zsh") return zsh_script(nodes);
  if (shell == "fish") return fish_script(nodes);
  return std::unexpected(fmt::format("\"{}\" is none of bash, zsh and fish", shell));
}

}  // namespace boruta::cli
