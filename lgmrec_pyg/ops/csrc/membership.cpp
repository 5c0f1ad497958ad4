// Memberships dropout(softmax((logits + noise) / tau)) in one pass over N x K.
// Randomness is a function of the seed and of the position of an element, so that
// it vectorizes and does not depend on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernel.h"

namespace VERSION {
namespace {

constexpr int64_t BLOCK = 2048;  // Elements that go through all stages in cache.

enum Noise { NONE = 0, GUMBEL = 1, LOGISTIC = 2 };

// The output function of SplitMix64 (Steele et al., 2014).
inline uint64_t random_bits(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// In the open interval (0, 1): with 23 bits, no half step rounds to 1.
inline float uniform(uint32_t bits) {
  return (static_cast<float>(static_cast<int32_t>(bits >> 9)) + 0.5f) * 0x1p-23f;
}

void add_noise(const float *logits, float *out, int64_t begin, int64_t size,
               float scale, int noise, uint64_t seed) {
  for (int64_t j = 0; j < size; j++) {
    const float u = uniform(random_bits(seed, begin + j) >> 32);
    float g = 0;
    if (noise == GUMBEL) g = -std::log(-std::log(u));
    if (noise == LOGISTIC) g = std::log(u) - std::log(1 - u);
    out[j] = (logits[j] + g) * scale;
  }
}

void softmax_rows(float *x, int64_t size, int64_t k) {
  for (int64_t row = 0; row < size; row += k) {
    float max = x[row];
    for (int64_t j = row + 1; j < row + k; j++) max = std::max(max, x[j]);
    for (int64_t j = row; j < row + k; j++) x[j] -= max;
  }
  for (int64_t j = 0; j < size; j++) x[j] = std::exp(x[j]);
  for (int64_t row = 0; row < size; row += k) {
    float sum = 0;
    for (int64_t j = row; j < row + k; j++) sum += x[j];
    const float inverse = 1 / sum;
    for (int64_t j = row; j < row + k; j++) x[j] *= inverse;
  }
}

void drop(const float *soft, float *out, int64_t begin, int64_t size, float keep,
          uint64_t seed) {
  const float scale = 1 / keep;
  for (int64_t j = 0; j < size; j++) {
    const float u = uniform(static_cast<uint32_t>(random_bits(seed, begin + j)));
    out[j] = u < keep ? soft[j] * scale : 0.0f;
  }
}

}  // namespace

extern "C" void KERNEL(membership)(
    const float *logits, int64_t n, int64_t k, float tau, int noise, float keep,
    uint64_t seed, int num_threads, float *soft, float *out) {
  const int64_t rows = std::max<int64_t>(1, BLOCK / k);
  parallel_for(n, num_threads, [=](int, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row += rows) {
      const int64_t i = row * k, size = (std::min(row + rows, end) - row) * k;
      add_noise(logits + i, soft + i, i, size, 1 / tau, noise, seed);
      softmax_rows(soft + i, size, k);
      drop(soft + i, out + i, i, size, keep, seed);
    }
  });
}

}  // namespace VERSION
