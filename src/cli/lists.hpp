#pragma once

#include <string>
#include <string_view>

#include "cli/session.hpp"

/// What commands that list things, or make tokens, have in common.
namespace boruta::cli {

/// What the server answered, or the table that `tabulate` makes of it; `nothing` is said where there is none.
template <class Reply, class Tabulate>
int print_list(const Session& session, const Reply& reply, Tabulate tabulate, std::string_view nothing) {
  if (session.json()) {
    session.print_line(reply.json);
  } else if (reply.value.empty()) {
    session.note(nothing);
  } else {
    session.print(tabulate(reply.value).render(session.terminal().colour));
  }
  return 0;
}

/// The token alone on standard output, for a pipe into whatever keeps it.
void print_token(const Session& session, const client::Reply<client::IssuedToken>& issued, std::string_view what);

/// A creation whose answer is lost may have been made: nobody can tell from here, and its token is lost with the
/// answer. `check` says how to find out.
client::Reply<client::IssuedToken> need_created(Session* session,
                                                client::Answer<client::Reply<client::IssuedToken>> answer,
                                                std::string_view what, const std::string& check);

}  // namespace boruta::cli
