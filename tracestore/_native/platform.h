/* What Cython cannot say: vector scans of text, 128-bit products, a locale-free strtod.
 *
 * Contract: no function reads at or past `end`; none allocates; all are pure but ts_strtod.
 */
#ifndef TRACESTORE_PLATFORM_H
#define TRACESTORE_PLATFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strtod_l */
#endif
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline uint64_t ts_load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return v;
}

static inline uint32_t ts_load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline void ts_mul128(uint64_t a, uint64_t b, uint64_t *hi, uint64_t *lo) {
  unsigned __int128 product = (unsigned __int128)a * b;
  *hi = (uint64_t)(product >> 64);
  *lo = (uint64_t)product;
}

static inline int ts_clz64(uint64_t v) { return __builtin_clzll(v); }

static inline int ts_ctz64(uint64_t v) { return __builtin_ctzll(v); }

/* Returns the first byte of [p, end) that ends or bends a JSON string: '"', '\\' or below 0x20;
 * `end` where there is none. Sets *non_ascii where a byte above 0x7f stands before it. */
static inline const uint8_t *ts_scan_string(const uint8_t *p, const uint8_t *end, int *non_ascii) {
  int high = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i slash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1f);
  while (end - p >= 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)p);
    __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash)),
                               _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
    unsigned stop = (unsigned)_mm_movemask_epi8(hit);
    unsigned top = (unsigned)_mm_movemask_epi8(x);
    if (stop) {
      unsigned at = (unsigned)__builtin_ctz(stop);
      if (high || (top & ((1u << at) - 1u))) *non_ascii = 1;
      return p + at;
    }
    high |= (int)top;
    p += 16;
  }
#endif
  for (; p < end; p++) {
    uint8_t c = *p;
    if (c == '"' || c == '\\' || c < 0x20) break;
    high |= c & 0x80;
  }
  if (high) *non_ascii = 1;
  return p;
}

/* Returns the first byte of [p, end) above 0x7f, `end` where there is none. */
static inline const uint8_t *ts_scan_ascii(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__)
  while (end - p >= 64) {
    __m128i a = _mm_loadu_si128((const __m128i *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(p + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(p + 32));
    __m128i d = _mm_loadu_si128((const __m128i *)(p + 48));
    if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)))) break;
    p += 64;
  }
#endif
  while (end - p >= 8) {
    if (ts_load64(p) & 0x8080808080808080ULL) break;
    p += 8;
  }
  while (p < end && *p < 0x80) p++;
  return p;
}

/* Returns the first byte of [p, end) that is not JSON white space, `end` where there is none. */
static inline const uint8_t *ts_skip_space(const uint8_t *p, const uint8_t *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
  return p;
}

/* Sets bits of `blocks` times 16 bytes, at most 64: letters and digits of ASCII, these and '_', and what is of ASCII and
 * neither these nor a quote or stop that may join them (' " , . : ;). The bit of the first byte is the lowest. */
static inline void ts_ascii_marks(const uint8_t *p, int blocks, uint64_t *plain, uint64_t *run,
                                  uint64_t *separators) {
  int block;
  *plain = *run = *separators = 0;
  for (block = 0; block < blocks; block++, p += 16) {
    unsigned letters_digits, scores, others;
#if defined(__SSE2__)
    const __m128i x = _mm_loadu_si128((const __m128i *)p);
    const __m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0'));
    const __m128i letters = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    const __m128i digits = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    const __m128i quotes = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\'')),
                                        _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
    /* ',' and '.' differ in one bit, and so do ':' and ';'. */
    const __m128i stops =
        _mm_or_si128(_mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8('.')),
                     _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(1)), _mm_set1_epi8(';')));
    letters_digits = (unsigned)_mm_movemask_epi8(_mm_or_si128(letters, digits));
    scores = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('_')));
    others = (unsigned)_mm_movemask_epi8(_mm_or_si128(x, _mm_or_si128(quotes, stops)));
#else
    int i;
    letters_digits = scores = others = 0;
    for (i = 0; i < 16; i++) {
      const uint8_t lower = p[i] | 0x20;
      const int is_plain = (lower >= 'a' && lower <= 'z') || (p[i] >= '0' && p[i] <= '9');
      const int joins = p[i] == '\'' || p[i] == '"' || (p[i] | 2) == '.' || (p[i] | 1) == ';';
      letters_digits |= (unsigned)is_plain << i;
      scores |= (unsigned)(p[i] == '_') << i;
      others |= (unsigned)(joins || p[i] >= 0x80) << i;
    }
#endif
    *plain |= (uint64_t)letters_digits << (16 * block);
    *run |= (uint64_t)(letters_digits | scores) << (16 * block);
    *separators |= (uint64_t)(~(letters_digits | scores | others) & 0xffffu) << (16 * block);
  }
}

/* Zeros behind the first `size` bytes of a block of 16: load at TS_KEEP + 16 - size. */
static const uint8_t TS_KEEP[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                    255, 255, 255, 255, 255, 255, 255, 255};

/* Writes the first `size` of 16 bytes of ASCII in lower case, and zeros behind them. */
static inline void ts_fold_ascii(const uint8_t *p, int size, uint8_t folded[16]) {
#if defined(__SSE2__)
  const __m128i x = _mm_loadu_si128((const __m128i *)p);
  const __m128i upper = _mm_sub_epi8(x, _mm_set1_epi8('A'));
  const __m128i uppers = _mm_cmpeq_epi8(_mm_min_epu8(upper, _mm_set1_epi8(25)), upper);
  const __m128i lower = _mm_or_si128(x, _mm_and_si128(uppers, _mm_set1_epi8(0x20)));
  const __m128i keep = _mm_loadu_si128((const __m128i *)(TS_KEEP + 16 - size));
  _mm_storeu_si128((__m128i *)folded, _mm_and_si128(lower, keep));
#else
  int i;
  for (i = 0; i < 16; i++) {
    const uint8_t lower = p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i];
    folded[i] = lower & TS_KEEP[16 - size + i];
  }
#endif
}

/* Asks for the cache line of an address that is read soon; any address is allowed. */
static inline void ts_prefetch(const void *p) { __builtin_prefetch(p); }

/* Reads a decimal number that is already known to be well formed; `text` ends with a NUL.
 * The C locale is used whatever the process has set; NULL on exhaustion falls back to strtod. */
static inline double ts_strtod(const char *text) {
  static locale_t c_locale = (locale_t)0;
  if (c_locale == (locale_t)0) {
    locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t expected = (locale_t)0;
    if (made == (locale_t)0) return strtod(text, NULL);
    if (!__atomic_compare_exchange_n(&c_locale, &expected, made, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
      freelocale(made);
  }
  return strtod_l(text, NULL, c_locale);
}

#endif
