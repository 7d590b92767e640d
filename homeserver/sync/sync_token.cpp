#include "homeserver/sync/sync_token.hpp"

#include <charconv>

namespace causeway {

namespace {

// "<prefix><number>_<number>...", nothing before, between or after. False when it is anything else.
template <class... Numbers>
bool read_numbers(std::string_view text, std::string_view prefix, Numbers&... numbers) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  bool first = true;
  auto read_one = [&](auto& number) {
    if (!std::exchange(first, false)) {
      if (!text.starts_with('_')) return false;
      text.remove_prefix(1);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  return (read_one(numbers) && ...) && text.empty();
}

constexpr std::string_view sync_prefix = "s1_";  // 1: the version of the form
constexpr std::string_view pagination_prefix = "t1_";

}  // namespace

std::string SyncToken::str() const {
  return std::string(sync_prefix) + std::to_string(position) + '_' + std::to_string(epoch) + '_' +
         std::to_string(ephemeral);
}

Result<SyncToken> SyncToken::parse(std::string_view text) {
  SyncToken token;
  if (!read_numbers(text, sync_prefix, token.position, token.epoch, token.ephemeral) || token.position < 0)
    return make_error(ErrorCode::invalid_param, "This is not a token that this server gave out");
  return token;
}

std::string pagination_token(OrderKey key) {
  return std::string(pagination_prefix) + std::to_string(key.anchor) + '_' + std::to_string(key.sub);
}

Result<OrderKey> parse_pagination_token(std::string_view text) {
  OrderKey key;
  if (read_numbers(text, pagination_prefix, key.anchor, key.sub) && key.anchor >= 0) return key;
  auto token = SyncToken::parse(text);
  if (!token) return token.error();
  // Behind the live event at that position, before everything that comes later.
  return OrderKey{token->position, 1};
}

}  // namespace causeway
