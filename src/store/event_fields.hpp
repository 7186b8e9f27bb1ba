#pragma once

#include "farm/events.hpp"
#include "store/json_fields.hpp"

/// The stored form of every kind of event: its name, and the names of its fields.
namespace boruta::store {

template <>
struct Fields<farm::ServerStarted> {
  static constexpr std::string_view kType = "server_started";

  static void each(auto& field, auto& event) {
    field("lease_now_ns", event.lease_now);
    field("respond_within_ns", event.respond_within);
    field("lost_after_ns", event.lost_after);
  }
};

template <>
struct Fields<farm::UserCreated> {
  static constexpr std::string_view kType = "user_created";

  static void each(auto& field, auto& event) {
    field("user_id", event.id);
    field("name", event.name);
    field("role", event.role);
    field("groups", event.groups);
  }
};

template <>
struct Fields<farm::UserGroupsSet> {
  static constexpr std::string_view kType = "user_groups_set";

  static void each(auto& field, auto& event) {
    field("user_id", event.id);
    field("groups", event.groups);
  }
};

template <>
struct Fields<farm::UserDeleted> {
  static constexpr std::string_view kType = "user_deleted";

  static void each(auto& field, auto& event) { field("user_id", event.id); }
};

template <>
struct Fields<farm::TokenCreated> {
  static constexpr std::string_view kType = "token_created";

  static void each(auto& field, auto& event) {
    field("token_id", event.id);
    field("hash", event.hash);
    field("name", event.name);
    field("role", event.role);
    field("user_id", event.user);
    field("expires_ns", event.expires);
    field("reusable", event.reusable);
    field("max_workers", event.max_workers);
    field.or_default("in_service", event.in_service);
  }
};

template <>
struct Fields<farm::TokenBound> {
  static constexpr std::string_view kType = "token_bound";

  static void each(auto& field, auto& event) {
    field("token_id", event.id);
    field("worker", event.worker);
  }
};

template <>
struct Fields<farm::TokenRevoked> {
  static constexpr std::string_view kType = "token_revoked";

  static void each(auto& field, auto& event) { field("token_id", event.id); }
};

template <>
struct Fields<farm::RequestCreated> {
  static constexpr std::string_view kType = "request_created";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("owner_id", event.owner);
    field("caps", event.caps);
    field.or_default("requirements", event.requirements);
    field("priority", event.priority);
    field("valid_after_ns", event.valid_after.at);
    field("valid_after_offset_minutes", event.valid_after.offset_minutes);
    field("deadline_ns", event.deadline.at);
    field("deadline_offset_minutes", event.deadline.offset_minutes);
    field("lease_ns", event.lease);
    field("claim_within_ns", event.claim_within);
    field("idempotency_key", event.idempotency_key);
    field("body_hash", event.body_hash);
  }
};

template <>
struct Fields<farm::RequestUpdated> {
  static constexpr std::string_view kType = "request_updated";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("priority", event.priority);
    field("valid_after_ns", event.valid_after.at);
    field("valid_after_offset_minutes", event.valid_after.offset_minutes);
    field("deadline_ns", event.deadline.at);
    field("deadline_offset_minutes", event.deadline.offset_minutes);
  }
};

template <>
struct Fields<farm::RequestsServable> {
  static constexpr std::string_view kType = "requests_servable";

  static void each(auto& field, auto& event) { field("request_ids", event.ids); }
};

template <>
struct Fields<farm::RequestEnded> {
  static constexpr std::string_view kType = "request_ended";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("from", event.from);
    field("state", event.state);
    field("reason", event.reason);
  }
};

template <>
struct Fields<farm::JobStarted> {
  static constexpr std::string_view kType = "job_started";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("worker", event.worker);
    field("generation", event.generation);
    field("timeout_ns", event.timeout);
    field("timeout_max_ns", event.timeout_max);
    field("claim_by_ns", event.claim_by);
    field("respond_by_ns", event.respond_by);
    field("tunnel_port", event.tunnel_port);
    field.or_default("overdue", event.overdue);
    field.or_default("own_keys", event.own_keys);
  }
};

template <>
struct Fields<farm::JobAcquired> {
  static constexpr std::string_view kType = "job_acquired";

  static void each(auto& field, auto& event) { field("request_id", event.id); }
};

template <>
struct Fields<farm::JobProlonged> {
  static constexpr std::string_view kType = "job_prolonged";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("timeout_ns", event.timeout);
  }
};

template <>
struct Fields<farm::JobGranted> {
  static constexpr std::string_view kType = "job_granted";

  static void each(auto& field, auto& event) { field("request_id", event.id); }
};

template <>
struct Fields<farm::JobPaused> {
  static constexpr std::string_view kType = "job_paused";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("since_ns", event.since);
  }
};

template <>
struct Fields<farm::JobResumed> {
  static constexpr std::string_view kType = "job_resumed";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("timeout_ns", event.timeout);
    field("timeout_max_ns", event.timeout_max);
    field("claim_by_ns", event.claim_by);
    field("pause_used_ns", event.pause_used);
  }
};

template <>
struct Fields<farm::JobTunnelMoved> {
  static constexpr std::string_view kType = "job_tunnel_moved";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("tunnel_port", event.tunnel_port);
  }
};

template <>
struct Fields<farm::WorkerRegistered> {
  static constexpr std::string_view kType = "worker_registered";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("registration", event.registration);
  }
};

template <>
struct Fields<farm::WorkerChanged> {
  static constexpr std::string_view kType = "worker_changed";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("registration", event.registration);
  }
};

template <>
struct Fields<farm::WorkerChangePending> {
  static constexpr std::string_view kType = "worker_change_pending";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("registration", event.registration);
  }
};

template <>
struct Fields<farm::WorkerConnected> {
  static constexpr std::string_view kType = "worker_connected";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("instance", event.instance);
    field("ssh_address", event.ssh_address);
    field("generation", event.generation);
    field("dirty", event.dirty);
    field("respond_by_ns", event.respond_by);
  }
};

template <>
struct Fields<farm::WorkerDisconnected> {
  static constexpr std::string_view kType = "worker_disconnected";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("lost_at_ns", event.lost_at);
  }
};

template <>
struct Fields<farm::WorkerLost> {
  static constexpr std::string_view kType = "worker_lost";

  static void each(auto& field, auto& event) { field("worker", event.uuid); }
};

template <>
struct Fields<farm::WorkerStateChanged> {
  static constexpr std::string_view kType = "worker_state_changed";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("from", event.from);
    field("to", event.to);
    field("reason", event.reason);
    field("generation", event.generation);
    field("respond_by_ns", event.respond_by);
    field("untold", event.untold);
  }
};

template <>
struct Fields<farm::WorkerPrepared> {
  static constexpr std::string_view kType = "worker_prepared";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("username", event.username);
    field("key_fingerprint", event.key_fingerprint);
  }
};

template <>
struct Fields<farm::WorkerCleaned> {
  static constexpr std::string_view kType = "worker_cleaned";

  static void each(auto& field, auto& event) { field("worker", event.uuid); }
};

template <>
struct Fields<farm::WorkerTold> {
  static constexpr std::string_view kType = "worker_told";

  static void each(auto& field, auto& event) { field("worker", event.uuid); }
};

template <>
struct Fields<farm::WorkerNoted> {
  static constexpr std::string_view kType = "worker_noted";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("text", event.text);
  }
};

template <>
struct Fields<farm::WorkerDrainSet> {
  static constexpr std::string_view kType = "worker_drain_set";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("draining", event.draining);
    field("reason", event.reason);
  }
};

template <>
struct Fields<farm::WorkerGroupsSet> {
  static constexpr std::string_view kType = "worker_groups_set";

  static void each(auto& field, auto& event) {
    field("worker", event.uuid);
    field("groups", event.groups);
  }
};

template <>
struct Fields<farm::WorkerDeregistered> {
  static constexpr std::string_view kType = "worker_deregistered";

  static void each(auto& field, auto& event) { field("worker", event.uuid); }
};

void each_ceiling(auto& field, auto& ceilings) {
  field("priority", ceilings.priority);
  field("running", ceilings.running);
  field("waiting", ceilings.waiting);
}

template <>
struct Fields<farm::UserCeilingsSet> {
  static constexpr std::string_view kType = "user_ceilings_set";

  static void each(auto& field, auto& event) {
    field("user_id", event.id);
    each_ceiling(field, event.ceilings);
  }
};

template <>
struct Fields<farm::GroupCeilingsSet> {
  static constexpr std::string_view kType = "group_ceilings_set";

  static void each(auto& field, auto& event) {
    field("group", event.group);
    each_ceiling(field, event.ceilings);
  }
};

template <>
struct Fields<farm::UserKeyAdded> {
  static constexpr std::string_view kType = "user_key_added";

  static void each(auto& field, auto& event) {
    field("key_id", event.id);
    field("user_id", event.user);
    field("name", event.name);
    field("public_key", event.public_key);
    field("fingerprint", event.fingerprint);
  }
};

template <>
struct Fields<farm::UserKeyRemoved> {
  static constexpr std::string_view kType = "user_key_removed";

  static void each(auto& field, auto& event) { field("key_id", event.id); }
};

template <>
struct Fields<farm::JobKeysChanged> {
  static constexpr std::string_view kType = "job_keys_changed";

  static void each(auto& field, auto& event) {
    field("request_id", event.id);
    field("respond_by_ns", event.respond_by);
    field.or_default("generation", event.generation);
  }
};

template <>
struct Fields<farm::TokenUsed> {
  static constexpr std::string_view kType = "token_used";

  static void each(auto& field, auto& event) { field("token_id", event.id); }
};

template <>
struct Fields<farm::ActionRefused> {
  static constexpr std::string_view kType = "action_refused";

  static void each(auto& field, auto& event) {
    field("action", event.action);
    field("code", event.code);
    field("reason", event.reason);
    field("times", event.times);
  }
};

template <>
struct Fields<farm::RequestRange> {
  static void each(auto& field, auto& range) {
    field("first", range.first);
    field("last", range.last);
  }
};

template <>
struct Fields<farm::RequestsForgotten> {
  static constexpr std::string_view kType = "requests_forgotten";

  static void each(auto& field, auto& event) {
    field("ranges", event.ranges);
    field("ended_until_ns", event.ended_until);
  }
};

template <>
struct Fields<farm::Checkpoint> {
  static constexpr std::string_view kType = "checkpoint";

  static void each(auto& /*field*/, auto& /*event*/) {}
};

}  // namespace boruta::store
