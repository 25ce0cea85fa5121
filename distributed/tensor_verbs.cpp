#include "distributed/tensor_verbs.hpp"

#include <torch/torch.h>

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

/// The tensor itself where the back end can read it, else a copy on the host.
at::Tensor reachable(const Communicator& world, const at::Tensor& tensor) {
  KANTOR_CHECK(tensor.is_contiguous(), "a tensor that is sent must be contiguous");
  return world.takes_device_memory() ? tensor : tensor.to(torch::kCPU);
}

/// Nobody to talk to, and no back end of the device's own.
bool is_alone(const Communicator& world, const at::Tensor& tensor) {
  return world.size() == 1 && !world.takes_device_memory() && !tensor.is_cpu();
}

template <class T>
std::span<T> span_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

/// Calls work(T{}) for the element type of the tensor.
template <class Work>
void with_type(const at::Tensor& tensor, const Work& work) {
  if (tensor.scalar_type() == at::kFloat) return work(float{});
  KANTOR_CHECK(tensor.scalar_type() == at::kDouble, "only float32 and float64 tensors are sent");
  work(double{});
}

}  // namespace

void all_reduce(Communicator& world, const at::Tensor& buffer, ReduceOp op, std::string_view what) {
  if (is_alone(world, buffer)) return;
  const at::Tensor sent = reachable(world, buffer);
  with_type(sent, [&]<class T>(T) { world.all_reduce(span_of<T>(sent), op, what); });
  if (!sent.is_same(buffer)) buffer.copy_(sent);
}

void broadcast(Communicator& world, const at::Tensor& buffer, int root, std::string_view what) {
  if (is_alone(world, buffer)) return;
  const at::Tensor sent = reachable(world, buffer);
  with_type(sent, [&]<class T>(T) { world.broadcast(span_of<T>(sent), root, what); });
  if (!sent.is_same(buffer)) buffer.copy_(sent);
}

at::Tensor all_gather(Communicator& world, const at::Tensor& part, std::string_view what) {
  if (is_alone(world, part)) return part.clone();
  const at::Tensor sent = reachable(world, part);
  const at::Tensor all = torch::empty({sent.numel() * world.size()}, sent.options());
  with_type(sent,
            [&]<class T>(T) { world.all_gather<T>(span_of<T>(sent), span_of<T>(all), what); });
  return all.to(part.device());
}

at::Tensor reduce_scatter(Communicator& world, const at::Tensor& all, std::string_view what) {
  if (is_alone(world, all)) return all.clone();
  const at::Tensor sent = reachable(world, all);
  const at::Tensor part = torch::empty({sent.numel() / world.size()}, sent.options());
  with_type(sent,
            [&]<class T>(T) { world.reduce_scatter<T>(span_of<T>(sent), span_of<T>(part), what); });
  return part.to(all.device());
}

}  // namespace kantor
