#include "tests/support/world.hpp"

namespace kantor::test {

Communicator& world() {
  static const std::unique_ptr<Communicator> self = make_self_communicator();
  return *self;
}

std::unique_ptr<Communicator> make_world(const MpiOptions&) { return make_self_communicator(); }

void OnAllRanks::SetUp() {}
void OnAllRanks::TearDown() {}

}  // namespace kantor::test
