#pragma once

#include <string>

namespace kantor::launch {

/// One thread for LibTorch: parallelism comes from ranks and from our own pool (run.threads).
/// Once per process, before any tensor exists.
void set_up_torch();
/// The same for a further thread that uses tensors: LibTorch counts its threads for each anew.
void set_up_torch_thread();

std::string torch_version();

}  // namespace kantor::launch
