#include "federation/federation.hpp"
