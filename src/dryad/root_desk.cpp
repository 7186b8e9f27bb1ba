#include "dryad/root_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "dryad/public_key.hpp"

namespace boruta::dryad::root {
namespace {

/// What is asked for beside the work.
template <class T>
constexpr bool kBeside = std::is_same_v<T, Cancel> || std::is_same_v<T, ReadConfig> || std::is_same_v<T, OpenConsole> ||
                         std::is_same_v<T, ListenForUsers>;

Answer failed(std::string reason, Outcome outcome = Outcome::kFailed) {
  return {.outcome = outcome, .text = std::move(reason)};
}

Answer answer_of(const std::expected<void, std::string>& done) { return done ? Answer{} : failed(done.error()); }

/// The environment of a program ends at a zero byte, and a display knows no control characters.
std::string readable(std::string text) {
  constexpr char kDelete = 0x7f;
  std::ranges::replace_if(
      text,
      [](char c) {
        const bool control = static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t';
        return control || c == kDelete;
      },
      ' ');
  return text;
}

/// Has each request on `socket` answered by `reply`, which says whether the agent still listens. `begin` is told of
/// each, also of what can't be understood.
template <class Begin, class Reply>
std::expected<void, std::string> serve_all(int socket, Begin begin, Reply reply) {
  for (bool listens = true; listens;) {
    const auto frame = receive_frame(socket, kRequestBytes);
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) return {};
    begin();
    const auto request = parse_request((*frame)->bytes);
    listens = request ? std::visit(reply, *request) : send_frame(socket, encode(failed(request.error())));
  }
  return {};
}

bool send_wrong_socket(int socket) { return send_frame(socket, encode(failed("a request on the wrong socket"))); }

/// Sends what was made to be handed over, or why there is nothing.
bool hand_over(int socket, const std::expected<runtime::Descriptor, std::string>& made) {
  return made ? send_frame(socket, encode(Answer{}), made->get()) : send_frame(socket, encode(failed(made.error())));
}

}  // namespace

std::expected<void, std::string> Desk::serve_work(int socket) {
  const auto reply = [&](const auto& body) {
    if constexpr (kBeside<std::decay_t<decltype(body)>>) {
      return send_wrong_socket(socket);
    } else {
      return send_frame(socket, encode(on(body)));
    }
  };
  return serve_all(socket, [&] { begin_request(); }, reply);
}

std::expected<void, std::string> Desk::serve_beside(int socket) {
  const auto reply = [&](const auto& body) {
    using Body = std::decay_t<decltype(body)>;
    if constexpr (std::is_same_v<Body, OpenConsole>) {
      return hand_over(socket, parts_.open_console());
    } else if constexpr (std::is_same_v<Body, ListenForUsers>) {
      return hand_over(socket, parts_.listen_for_users());
    } else if constexpr (std::is_same_v<Body, ReadConfig>) {
      auto text = parts_.read_config();
      return send_frame(socket, encode(text ? Answer{.text = *std::move(text)} : failed(text.error())));
    } else if constexpr (std::is_same_v<Body, Cancel>) {
      return send_frame(socket, encode(on(body)));
    } else {
      return send_wrong_socket(socket);
    }
  };
  return serve_all(socket, [] {}, reply);
}

void Desk::begin_request() {
  const std::scoped_lock lock(mutex_);
  stop_ = std::stop_source();
  if (++number_ <= cancelled_) stop_.request_stop();
}

Answer Desk::on(const Cancel& cancel) {
  const std::scoped_lock lock(mutex_);
  cancelled_ = std::max(cancelled_, cancel.number);
  if (number_ <= cancelled_) stop_.request_stop();
  return {};
}

Answer Desk::with_user(const Done& done) const {
  auto answer = answer_of(done);
  answer.user_id = parts_.access->user_id().value_or(0);
  return answer;
}

Answer Desk::on(const Start&) {
  if (const auto fit = parts_.access->check(); !fit) return failed(fit.error(), Outcome::kRefused);
  auto endpoint = parts_.access->start();
  if (!endpoint) return failed(endpoint.error());
  auto answer = with_user({});
  answer.standing = endpoint->standing;
  answer.host_keys = std::move(endpoint->host_keys);
  return answer;
}

Answer Desk::on(const Prepare& prepare) {
  auto key = plain_public_key(prepare.public_key);
  if (!key) return with_user(std::unexpected(key.error()));
  parts_.key->put(*std::move(key));
  const auto login = parts_.access->prepare();
  return with_user(login ? Done{} : std::unexpected(login.error()));
}

Answer Desk::on(const Grant& grant) {
  std::vector<std::string> keys;
  for (const auto& line : grant.public_keys) {
    auto key = plain_public_key(line);
    if (!key) return with_user(std::unexpected(key.error()));
    keys.push_back(*std::move(key));
  }
  return with_user(parts_.access->grant(keys));
}

Answer Desk::on(const EndJob&) { return with_user(parts_.access->end_job()); }

Answer Desk::on(const PutInMaintenance& maintenance) {
  return answer_of(parts_.board->put_in_maintenance(readable(maintenance.message), stop_.get_token()));
}

Answer Desk::on(const Ready&) { return answer_of(parts_.board->ready(stop_.get_token())); }

Answer Desk::on(const Healthcheck& check) {
  const auto health = parts_.board->healthcheck(check.full, stop_.get_token());
  if (health) return {};
  return failed(health.error().text, health.error().critical ? Outcome::kFailed : Outcome::kWarning);
}

Answer Desk::on(const Act& act) {
  auto result = parts_.board->act(act.action, stop_.get_token());
  Answer answer{.text = std::move(result.error), .milliamperes = result.milliamperes};
  if (result.outcome == agent::BoardOutcome::kRefused) answer.outcome = Outcome::kRefused;
  if (result.outcome == agent::BoardOutcome::kFailed) answer.outcome = Outcome::kFailed;
  return answer;
}

}  // namespace boruta::dryad::root
