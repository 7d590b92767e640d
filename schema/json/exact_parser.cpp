#include "schema/json/exact_parser.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>

namespace causeway::json {

namespace {

using boost::json::error_code;
using boost::json::string_view;

// Builds the value. What the parser asks of a handler: true to go on.
class Handler {
 public:
  static constexpr std::size_t max_object_size = boost::json::object::max_size();
  static constexpr std::size_t max_array_size = boost::json::array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();

  bool on_document_begin(error_code&) {
    values_.reset();
    return true;
  }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t size, error_code&) {
    values_.push_object(size);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t size, error_code&) {
    values_.push_array(size);
    return true;
  }
  bool on_key_part(string_view text, std::size_t, error_code&) {
    values_.push_chars(text);
    return true;
  }
  bool on_key(string_view text, std::size_t, error_code&) {
    values_.push_key(text);
    return true;
  }
  bool on_string_part(string_view text, std::size_t, error_code&) {
    values_.push_chars(text);
    return true;
  }
  bool on_string(string_view text, std::size_t, error_code&) {
    values_.push_string(text);
    return true;
  }
  bool on_number_part(string_view text, error_code&) {
    number_.append(text.data(), text.size());
    return true;
  }
  bool on_int64(std::int64_t number, string_view, error_code&) {
    number_.clear();
    values_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, string_view, error_code&) {
    number_.clear();
    values_.push_uint64(number);
    return true;
  }
  bool on_double(double nearly, string_view text, error_code&) {
    number_.append(text.data(), text.size());
    double exact = 0;
    const auto read = std::from_chars(number_.data(), number_.data() + number_.size(), exact);
    // Out of range: infinity or zero, as the parser has it.
    values_.push_double(read.ec == std::errc() ? exact : nearly);
    number_.clear();
    return true;
  }
  bool on_bool(bool truth, error_code&) {
    values_.push_bool(truth);
    return true;
  }
  bool on_null(error_code&) {
    values_.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  boost::json::value release() { return values_.release(); }

 private:
  boost::json::value_stack values_;
  std::string number_;  // the text of a number so far
};

}  // namespace

boost::json::value parse_exactly(std::string_view text, std::size_t deepest, error_code& error) {
  boost::json::parse_options options;
  options.max_depth = deepest;
  boost::json::basic_parser<Handler> parser(options);
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = boost::json::error::extra_data;
  if (error) return nullptr;
  return parser.handler().release();
}

}  // namespace causeway::json
