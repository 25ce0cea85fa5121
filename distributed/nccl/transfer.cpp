#include "distributed/nccl/transfer.hpp"

#include <cstring>

#include "distributed/nccl/device_calls.hpp"

namespace kantor::nccl {

void NcclCommunicator::Transfer::start() {
  is_direct_in_ = owner_.is_on_device(operation_.input);
  is_direct_out_ = owner_.is_on_device(operation_.output);
  stream_ = owner_.stream_for(is_direct_in_ || is_direct_out_);
  Scratch& out = owner_.resources_.out;
  Scratch& in = owner_.resources_.in;
  if (!is_direct_in_) out.upload(operation_.input, operation_.input_bytes, stream_);
  if (!is_direct_out_) in.reserve(operation_.output_bytes);
  owner_.handle_.accept(operation_.start(is_direct_in_ ? operation_.input : out.device(),
                                         is_direct_out_ ? operation_.output : in.device(), stream_),
                        operation_.function);
}

void NcclCommunicator::Transfer::bring_back() {
  Scratch& in = owner_.resources_.in;
  if (!is_direct_out_) in.download(in.device(), operation_.output_bytes, stream_);
  check(cudaEventRecord(owner_.resources_.event, stream_), "cudaEventRecord");
}

bool NcclCommunicator::Transfer::is_done() {
  if (stage_ == Stage::fresh) {
    start();
    stage_ = Stage::started;
  }
  if (stage_ == Stage::started) {
    if (owner_.handle_.is_pending()) return false;  // not on the stream yet: nothing may follow it
    bring_back();
    stage_ = Stage::on_stream;
  }
  if (stage_ == Stage::on_stream) {
    // In this order: an error that comes with the end of the work is seen.
    const bool is_over = is_reached(owner_.resources_.event);
    if (owner_.handle_.is_pending() || !is_over) return false;
    if (!is_direct_out_) {
      std::memcpy(operation_.output, owner_.resources_.in.host(), operation_.output_bytes);
    }
    stage_ = Stage::done;
  }
  return true;
}

}  // namespace kantor::nccl
