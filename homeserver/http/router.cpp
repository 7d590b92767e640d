#include "homeserver/http/endpoint.hpp"
#include "homeserver/http/uri.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::http {

Result<> check_may_call(const Requester& requester, Callers callers) {
  if (requester.is_guest && !includes(callers, Callers::guests))
    return make_error(ErrorCode::guest_access_forbidden, "Guests may not do this.");
  if (requester.is_locked && !includes(callers, Callers::locked)) {
    auto locked = make_error(ErrorCode::user_locked, "This account is locked.");
    locked.extra["soft_logout"] = true;
    return locked;
  }
  if (requester.is_suspended && !includes(callers, Callers::suspended))
    return make_error(ErrorCode::user_suspended, "This account is suspended.");
  if (!requester.is_admin && includes(callers, Callers::admins_only))
    return make_error(ErrorCode::forbidden, "This is for administrators of the server.");
  return {};
}

WorkClass work_class_of(RateClass rate) {
  switch (rate) {
    case RateClass::unlimited:
      return WorkClass::unbounded;
    case RateClass::read:
      return WorkClass::read;
    case RateClass::write:
    case RateClass::message:
      return WorkClass::write;
    case RateClass::login:
      return WorkClass::login;
    case RateClass::join:
      return WorkClass::remote;
    case RateClass::federation:
      return WorkClass::federation;
  }
  return WorkClass::read;
}

// One segment deep. A route hangs at the node of its last segment.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> fixed;
  std::unique_ptr<Node> placeholder;
  std::map<Verb, Route> routes;
};

namespace {

// "/a/b/" -> "a", "b", "". The path must start with '/'.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  do {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  } while (!path.empty());
  return segments;
}

bool is_placeholder(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(Route route) {
  CAUSEWAY_ASSERT(route.path.starts_with('/'));
  CAUSEWAY_ASSERT(route.verb != Verb::head && route.verb != Verb::options && route.verb != Verb::other);
  Node* node = root_.get();
  for (const auto segment : split(route.path)) {
    auto& next = is_placeholder(segment) ? node->placeholder : node->fixed[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  const auto verb = route.verb;
  const bool added = node->routes.emplace(verb, std::move(route)).second;
  CAUSEWAY_ASSERT(added);
}

namespace {

// Walks the trie depth first, fixed segments before placeholders: a path may lead to several nodes, and the first that
// serves the verb is meant. Each node is visited at most once, so hostile paths cost no more than the table's size.
template <class Node>
class Search {
 public:
  Search(Verb verb, const std::vector<std::string>& segments) : verb_(verb), segments_(segments) {}

  bool descend(const Node& node, std::size_t depth) {
    if (depth == segments_.size()) return arrive(node);
    const std::string& segment = segments_[depth];
    if (const auto next = node.fixed.find(segment); next != node.fixed.end() && descend(*next->second, depth + 1))
      return true;
    if (!node.placeholder || (segment.empty() && depth + 1 != segments_.size())) return false;
    parameters_.push_back(segment);
    if (descend(*node.placeholder, depth + 1)) return true;
    parameters_.pop_back();
    return false;
  }

  Router::Match take() && {
    Router::Match match;
    match.route = route_;
    match.path_known = route_ || !allowed_.empty();
    if (route_)
      match.parameters = std::move(parameters_);
    else
      match.allowed.assign(allowed_.begin(), allowed_.end());
    return match;
  }

 private:
  bool arrive(const Node& node) {
    if (const auto found = node.routes.find(verb_); found != node.routes.end()) {
      route_ = &found->second;
      return true;
    }
    for (const auto& [verb, route] : node.routes)
      allowed_.insert(verb);
    return false;
  }

  Verb verb_;
  const std::vector<std::string>& segments_;
  std::vector<std::string> parameters_;
  std::set<Verb> allowed_;
  const Route* route_ = nullptr;
};

}  // namespace

Router::Match Router::match(Verb verb, std::string_view path) const {
  if (!path.starts_with('/')) return {};
  std::vector<std::string> segments;
  for (const auto raw : split(path)) {
    auto segment = percent_decode(raw);
    if (!segment) {
      Match match;
      match.malformed = true;
      return match;
    }
    segments.push_back(std::move(*segment));
  }
  Search<Node> search(verb == Verb::head ? Verb::get : verb, segments);
  search.descend(*root_, 0);
  return std::move(search).take();
}

std::vector<const Route*> Router::routes() const {
  std::vector<const Route*> out;
  std::vector<const Node*> pending{root_.get()};
  while (!pending.empty()) {
    const Node* node = pending.back();
    pending.pop_back();
    for (const auto& [verb, route] : node->routes)
      out.push_back(&route);
    for (const auto& [segment, next] : node->fixed)
      pending.push_back(next.get());
    if (node->placeholder) pending.push_back(node->placeholder.get());
  }
  return out;
}

}  // namespace causeway::http
