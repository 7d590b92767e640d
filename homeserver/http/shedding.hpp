// When to refuse requests because the reactor is late, and which part of them. Pure: times are passed in.
//
// A burst is no overload: a thousand long-polls that wake at once make everything late for a moment, and nobody is
// refused for that. Overload is a lag that stands: for a while no measurement found less than the target. From then on,
// until the greater part of some seconds has been without, a part of the requests is refused that grows with the lag.
// So the lag settles where as much is refused as cannot be done, and whoever comes to a server that is not late is
// never refused. Who has something under way or has just asked is refused first, and whoever has not the less, the more
// of what is asked comes from those: a modest user does not make place for greedy ones.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace causeway::http {

struct SheddingSettings {
  using Milliseconds = std::chrono::milliseconds;
  struct Band {
    Milliseconds none_up_to, all_from;
  };
  Milliseconds target{20};  // this and the bands: of lag as ReactorLag has it
  // Overload begins when so many measurements over so long a time found more than that.
  Milliseconds patience{500};
  std::size_t measurements = 4;
  // It ends after so long a time without. A moment over the target undoes three under it.
  Milliseconds calm{3000};
  Band greedy{Milliseconds(20), Milliseconds(50)};
  Band modest{Milliseconds(35), Milliseconds(80)};
  Milliseconds moment{50};  // who asks again within it is not modest, whatever became of the last time
};

// Who asked when. Remembers some thousand of them, and now and then forgets one for another.
class RecentAskers {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit RecentAskers(std::chrono::milliseconds moment) : moment_(moment) {}

  // Keys are hashes. Notes that this one asks now; whether it did within the last moment.
  bool asks_again(std::uint64_t key, TimePoint now);

 private:
  struct Asked {
    std::uint64_t key = 0;
    TimePoint at{};
  };
  std::chrono::milliseconds moment_;
  std::vector<Asked> asked_ = std::vector<Asked>(4096);
};

class Shedding {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  enum class Asker { modest, greedy };

  explicit Shedding(const SheddingSettings& settings) : settings_(settings) {}

  // From one time to the other.
  void measured(TimePoint begun, TimePoint ended, Duration lag);
  bool overloaded() const { return overloaded_; }
  // Whether to refuse this request. Of a row of them, exactly the part that is due, evenly spread.
  bool refuses(Asker asker, Duration lag);

 private:
  void look_for_overload(TimePoint now, bool is_over, Duration quiet);
  void look_for_calm(Duration over, Duration quiet);

  SheddingSettings settings_;
  TimePoint measured_until_{};
  bool overloaded_ = false;
  TimePoint over_since_{};
  std::size_t times_over_ = 0;  // in a row
  Duration calm_needed_{};
  double greedy_share_ = 0;      // of the last some hundred who asked
  std::array<double, 2> due_{};  // of a refusal; by asker
};

}  // namespace causeway::http
