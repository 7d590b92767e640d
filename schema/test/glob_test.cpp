#include "schema/matrix/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace causeway {
namespace {

TEST(Glob, globs_match_as_the_specification_says) {
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_FALSE(glob_matches("?", ""));
  EXPECT_TRUE(glob_matches("a*b*c", "axxbyyc"));
  EXPECT_FALSE(glob_matches("a*b*c", "axxbyy"));
  EXPECT_TRUE(glob_matches("?.example", "x.example"));
  EXPECT_FALSE(glob_matches("?.example", "xy.example"));
  EXPECT_TRUE(glob_matches("**a", "aaa"));
}

TEST(Glob, a_hostile_glob_takes_bounded_time) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i)
    pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(2000, 'a')));
}

TEST(Glob, a_wildcard_pattern_has_no_character_but_the_star_that_matches_others) {
  EXPECT_TRUE(wildcard_matches("m.*", "m.room.message"));
  EXPECT_TRUE(wildcard_matches("a?", "a?"));
  EXPECT_FALSE(wildcard_matches("a?", "ab"));
}

}  // namespace
}  // namespace causeway
