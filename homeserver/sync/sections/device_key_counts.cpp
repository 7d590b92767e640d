#include "homeserver/sync/sections/device_key_counts.hpp"

namespace causeway {

void DeviceKeyCountsSection::write(std::string& out) const {
  out += R"(,"device_one_time_keys_count":{},"device_unused_fallback_key_types":[])";
}

}  // namespace causeway
