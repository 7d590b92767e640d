// How many one-time keys other users may still claim from the device, and which fallback keys are unused.
//
// spec: client-server-api#e2e-extensions-to-sync
#pragma once

#include "homeserver/sync/sections/section.hpp"

namespace causeway {

// Devices have no keys yet. Both are always told, and a client is never woken for them.
class DeviceKeyCountsSection final : public Section {
 public:
  void write(std::string& out) const override;
};

}  // namespace causeway
