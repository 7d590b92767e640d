#include "homeserver/http/shedding.hpp"

#include <algorithm>

namespace causeway::http {
namespace {

// So long between two measurements: whatever stood there before is gone.
constexpr std::chrono::milliseconds pause{100};

// Beyond, refusing is all that the reactor would do, and may be too much for it nevertheless: then some get through.
constexpr double greatest_part = 0.9;

constexpr double weight_of_one = 1.0 / 256;

double part(const SheddingSettings::Band& band, Shedding::Duration lag) {
  const auto above = std::chrono::duration<double>(lag - band.none_up_to);
  const auto width = std::chrono::duration<double>(band.all_from - band.none_up_to);
  return std::clamp(above / width, 0.0, greatest_part);
}

}  // namespace

bool RecentAskers::asks_again(std::uint64_t key, TimePoint now) {
  Asked& last = asked_[key % asked_.size()];
  const bool again = last.key == key && now - last.at < moment_;
  last = {key, now};
  return again;
}

void Shedding::measured(TimePoint begun, TimePoint ended, Duration lag) {
  const bool is_over = lag > settings_.target;
  const Duration over = is_over ? ended - begun : Duration::zero();
  const Duration quiet = ended - measured_until_ - over;
  measured_until_ = ended;
  if (overloaded_)
    look_for_calm(over, quiet);
  else
    look_for_overload(ended, is_over, quiet);
}

void Shedding::look_for_overload(TimePoint now, bool is_over, Duration quiet) {
  if (!is_over) {
    times_over_ = 0;
    return;
  }
  if (quiet > pause) times_over_ = 0;
  if (times_over_++ == 0) over_since_ = now;
  if (times_over_ < settings_.measurements || now - over_since_ < settings_.patience) return;
  overloaded_ = true;
  calm_needed_ = settings_.calm;
}

void Shedding::look_for_calm(Duration over, Duration quiet) {
  calm_needed_ = std::min<Duration>(calm_needed_ - quiet + 3 * over, settings_.calm);
  if (calm_needed_ > Duration::zero()) return;
  overloaded_ = false;
  times_over_ = 0;
  greedy_share_ = 0;
  due_ = {};
}

bool Shedding::refuses(Asker asker, Duration lag) {
  if (!overloaded_) return false;
  const bool is_greedy = asker == Asker::greedy;
  greedy_share_ += weight_of_one * ((is_greedy ? 1 : 0) - greedy_share_);
  double& due = due_[static_cast<std::size_t>(asker)];
  due += is_greedy ? part(settings_.greedy, lag) : part(settings_.modest, lag) * (1 - greedy_share_);
  if (due < 1) return false;
  due -= 1;
  return true;
}

}  // namespace causeway::http
