// The sum over anchors a of log sum_n exp(<a, k_n>), and its gradients, for keys of
// few columns: one pass over the B x N similarities, of which a few rows at a time
// stay in cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernel.h"

namespace VERSION {
namespace {

constexpr int64_t GROUP = 4;  // Anchors a pass: loads of keys are shared by all.

inline float round(float x) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
  // No instruction rounds, but conversions cut off: the floor of what is positive.
  return static_cast<float>(static_cast<int32_t>(x + 127.5f) - 127);
#else
  return std::rint(x);
#endif
}

// 2^x for -126 < x < 127, to 2 ulp; branch-free, so that compilers vectorize it.
inline float exp2_bounded(float x) {
  const float whole = round(x), f = x - whole;
  float p = 1.535336188e-4f;
  p = p * f + 1.339887440e-3f;
  p = p * f + 9.618437357e-3f;
  p = p * f + 5.550332471e-2f;
  p = p * f + 2.402264791e-1f;
  p = p * f + 6.931472028e-1f;
  p = p * f + 1.0f;
  int32_t bits;
  std::memcpy(&bits, &p, 4);
  bits += static_cast<int32_t>(whole) << 23;
  std::memcpy(&p, &bits, 4);
  return p;
}

// Anchors [begin, end) against all keys. `keys` and `grad_keys` are K x N, `exps`
// is scratch of GROUP x N.
template <int K>
void run(const float *__restrict anchors, const float *__restrict keys,
         int64_t begin, int64_t end, int64_t n, float bound, float *__restrict exps,
         float *__restrict sums, float *__restrict grad_anchors,
         float *__restrict grad_keys) {
  const float log2e = 1.44269504f, shift = bound * log2e;
  std::fill(exps, exps + GROUP * n, 0.0f);
  for (int64_t i = begin; i < end; i += GROUP) {
    const int64_t size = std::min(GROUP, end - i);
    float weight[GROUP][K] = {};
    for (int64_t g = 0; g < size; g++) {
      float a[K], grad[K] = {}, sum = 0;
      float *__restrict exp = exps + g * n;
      for (int k = 0; k < K; k++) a[k] = anchors[(i + g) * K + k] * log2e;
      for (int64_t j = 0; j < n; j++) {
        float x = -shift;
        for (int k = 0; k < K; k++) x += a[k] * keys[k * n + j];
        const float e = exp2_bounded(x);
        exp[j] = e;
        sum += e;
        for (int k = 0; k < K; k++) grad[k] += e * keys[k * n + j];
      }
      sums[i + g] = sum;
      for (int k = 0; k < K; k++) {
        grad_anchors[(i + g) * K + k] = grad[k] / sum;
        weight[g][k] = anchors[(i + g) * K + k] / sum;
      }
    }
    // Rows of absent anchors hold old exponentials, but their weights are zero.
    for (int k = 0; k < K; k++) {
      float *__restrict out = grad_keys + k * n;
      for (int64_t j = 0; j < n; j++) {
        float x = out[j];
        for (int64_t g = 0; g < GROUP; g++) x += weight[g][k] * exps[g * n + j];
        out[j] = x;
      }
    }
  }
}

using Run = decltype(&run<1>);

template <int... K>
Run select(int k, std::integer_sequence<int, K...>) {
  static const Run table[] = {run<K + 1>...};
  return table[k - 1];
}

}  // namespace

// Floats of scratch a thread: memory that threads allocate themselves comes as
// fresh pages in every call, which costs more than all arithmetic here.
extern "C" int64_t KERNEL(infonce_narrow_scratch)(int64_t n, int k) {
  return (GROUP + k) * n;
}

// anchors: B x K, keys and grad_keys: K x N; 1 <= K <= 8.
extern "C" void KERNEL(infonce_narrow)(
    const float *anchors, const float *keys, int64_t b, int64_t n, int k, float bound,
    int num_threads, float *scratch, float *sums, float *grad_anchors,
    float *grad_keys) {
  const Run run = select(k, std::make_integer_sequence<int, 8>());
  const int64_t groups = (b + GROUP - 1) / GROUP, stride = (GROUP + k) * n;
  parallel_for(groups, num_threads, [=](int t, int64_t begin, int64_t end) {
    float *exps = scratch + t * stride;
    float *grad = t == 0 ? grad_keys : exps + GROUP * n;
    std::fill(grad, grad + n * k, 0.0f);
    run(anchors, keys, begin * GROUP, std::min(end * GROUP, b), n, bound, exps, sums,
        grad_anchors, grad);
  });
  for (int t = 1; t < num_threads; t++) {
    const float *grad = scratch + t * stride + GROUP * n;
    for (int64_t j = 0; j < n * k; j++) grad_keys[j] += grad[j];
  }
}

}  // namespace VERSION
