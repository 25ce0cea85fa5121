// Read before each file by .ci/tidy: clang 14 cannot use libstdc++ 12's constexpr vector of a type
// that is not yet complete, as config::Value and Record have it. With this it sees the vector of
// C++17.
#include <string>
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_a1_of_bits  // declared before, as constexpr
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr
