#include "match/matcher.hpp"

#include "match/index.hpp"

namespace boruta::match {

Matcher::Matcher(const farm::Farm& farm, Now now) : index_(std::make_unique<Index>(farm, now)) {}

Matcher::~Matcher() = default;

void Matcher::observe(const farm::Farm& farm, const farm::Touched& touched, Now now) {
  index_->observe(farm, touched, now);
}

farm::Events Matcher::next(const farm::Farm& farm, Now now) { return index_->next(farm, now); }

farm::NextDeadline Matcher::next_deadline() const { return index_->next_deadline(); }

Standing Matcher::standing(const farm::Farm& farm, RequestId id, Now now) const {
  return index_->standing(farm, id, now);
}

Competition Matcher::competition(const farm::Farm& farm, const Ask& ask, Now now) const {
  return index_->competition(farm, ask, now);
}

std::size_t Matcher::signature_count() const { return index_->signature_count(); }

std::size_t Matcher::class_count() const { return index_->class_count(); }

}  // namespace boruta::match
