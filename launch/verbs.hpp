#pragma once

// The verbs. Each but inspect and keys is collective, returns the exit code (the same on every
// rank) and throws Error.

#include "launch/arguments.hpp"
#include "launch/configuration.hpp"
#include "launch/session.hpp"

namespace kantor::launch {

/// kantor run: run.cpp.
int run(const RunArguments& arguments, const LoadedConfiguration& loaded, Session& session);

/// kantor eval: eval.cpp. @param loaded the run's resolved.toml.
int eval(const EvalArguments& arguments, const LoadedConfiguration& loaded, Session& session);

/// kantor inspect: inspect/. One process; nothing of MPI, LibTorch or CUDA is started.
int inspect(const InspectArguments& arguments);

/// kantor keys: keys.cpp. One process, as inspect.
int keys(const KeysArguments& arguments);

/// kantor doctor: doctor/.
int doctor(const DoctorArguments& arguments, Session& session);

}  // namespace kantor::launch
