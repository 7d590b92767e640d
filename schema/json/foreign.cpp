#include "schema/json/foreign.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <vector>

namespace causeway::json {

namespace {

using boost::system::error_code;
using Text = boost::json::string_view;

// Writes what is parsed into one text as it comes, and notes which objects have their members in another order than the
// canonical one; the canonical text is then put together at the end, at one go.
class CanonicalWriter {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return open('['); }
  bool on_array_end(std::size_t, error_code&) { return close(']'); }
  bool on_object_begin(error_code&) { return open('{'); }
  bool on_object_end(std::size_t, error_code&) {
    order_members();
    return close('}');
  }
  bool on_key_part(Text part, std::size_t, error_code&) { return keep(part); }
  bool on_key(Text last, std::size_t, error_code&) {
    auto& members = open_.back().members;
    separate();
    members.push_back({pending_.append(last), {out_.size(), 0}});
    append_quoted(out_, pending_);
    out_ += ':';
    pending_.clear();
    after_key_ = true;
    return true;
  }
  bool on_string_part(Text part, std::size_t, error_code&) { return keep(part); }
  bool on_string(Text last, std::size_t, error_code&) {
    separate();
    append_quoted(out_, pending_.append(last));
    pending_.clear();
    return ended();
  }
  bool on_number_part(Text part, error_code&) { return keep(part); }
  bool on_int64(std::int64_t, Text last, error_code&) { return number(last); }
  bool on_uint64(std::uint64_t, Text last, error_code&) { return number(last); }
  bool on_double(double, Text last, error_code&) { return number(last); }
  bool on_bool(bool value, error_code&) { return literal(value ? "true" : "false"); }
  bool on_null(error_code&) { return literal("null"); }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

  std::string take() {
    if (reordered_.empty()) return std::move(out_);
    std::ranges::sort(reordered_, {}, begin_of);
    std::string ordered;
    ordered.reserve(out_.size());
    write({0, out_.size()}, ordered);
    return ordered;
  }

 private:
  struct Range {  // of out_
    std::size_t begin, end;
  };
  struct Member {
    std::string key;
    Range range;  // key included
  };
  struct Container {
    std::size_t begin;  // of what is inside
    std::vector<Member> members;
  };
  // An object whose members have another order than in out_.
  struct Reordered {
    Range inside;
    std::vector<Range> members;
  };
  static std::size_t begin_of(const Reordered& object) { return object.inside.begin; }

  bool keep(Text part) {
    pending_.append(part);
    return true;
  }
  bool number(Text last) {
    const std::string text = std::move(pending_.append(last));
    pending_.clear();
    return literal(text);
  }
  bool literal(std::string_view text) {
    separate();
    out_.append(text);
    return ended();
  }
  // The comma before whatever comes now, unless it is the first or the value of a key.
  void separate() {
    if (!std::exchange(after_key_, false) && !open_.empty() && out_.size() > open_.back().begin) out_ += ',';
  }
  bool open(char bracket) {
    separate();
    out_ += bracket;
    open_.push_back({out_.size(), {}});
    return true;
  }
  bool close(char bracket) {
    out_ += bracket;
    open_.pop_back();
    return ended();
  }
  bool ended() {
    if (!open_.empty() && !open_.back().members.empty()) open_.back().members.back().range.end = out_.size();
    return true;
  }
  // Of members with the same key the last stays.
  void order_members() {
    auto& [begin, members] = open_.back();
    const auto out_of_order = [](const Member& a, const Member& b) { return a.key >= b.key; };
    if (std::ranges::adjacent_find(members, out_of_order) == members.end()) return;
    std::ranges::stable_sort(members, {}, &Member::key);
    Reordered& object = reordered_.emplace_back();
    object.inside = {begin, out_.size()};
    for (std::size_t i = 0; i < members.size(); ++i)
      if (i + 1 == members.size() || members[i].key != members[i + 1].key) object.members.push_back(members[i].range);
  }
  // Appends a range of out_, with the objects in it as they should be. No deeper than the objects are nested.
  void write(Range range, std::string& into) const {
    auto object = std::ranges::upper_bound(reordered_, range.begin, {}, begin_of);
    while (object != reordered_.end() && object->inside.begin < range.end) {
      into.append(out_, range.begin, object->inside.begin - range.begin);
      for (const Range& member : object->members) {
        if (&member != &object->members.front()) into += ',';
        write(member, into);
      }
      range.begin = object->inside.end;
      object = std::ranges::upper_bound(object, reordered_.end(), range.begin, {}, begin_of);
    }
    into.append(out_, range.begin, range.end - range.begin);
  }

  std::string out_;  // with the members of objects as they came
  std::vector<Reordered> reordered_;
  std::string pending_;  // what is there of a key, string or number that comes in parts
  std::vector<Container> open_;
  bool after_key_ = false;
};

// `text` is JSON. Containers beyond max_depth are replaced.
std::string pruned(std::string_view text) {
  std::string out;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool was_inside = depth > max_depth;
    if (in_string) {
      if (!was_inside) out += c;
      if (c == '"') in_string = false;
      if (c == '\\' && ++i < text.size() && !was_inside) out += text[i];
      continue;
    }
    in_string = c == '"';
    if (c == '{' || c == '[') {
      if (++depth == max_depth + 1) out += "null";
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
    if (!was_inside && depth <= max_depth) out += c;
  }
  return out;
}

}  // namespace

std::optional<std::string> canonical_text(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = max_foreign_depth;
  boost::json::basic_parser<CanonicalWriter> parser(options);
  error_code error;
  const auto read = parser.write_some(false, text.data(), text.size(), error);
  if (error || read != text.size()) return std::nullopt;
  return parser.handler().take();
}

Result<object> parse_foreign_object(std::string_view text) {
  auto parsed = parse_object(text);
  // Well-formed beyond the depth at which the parser stopped?
  if (parsed || parsed.error().code != ErrorCode::bad_json || !canonical_text(text)) return parsed;
  return parse_object(pruned(text));
}

}  // namespace causeway::json
