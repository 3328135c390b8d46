//! Vectors of 128 bits, of which floats are four or two.

#![expect(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::arch::wasm32::{
    f32x4_add, f32x4_demote_f64x2_zero, f32x4_div, f32x4_max, f32x4_min, f32x4_mul, f32x4_pmax,
    f32x4_sqrt, f32x4_sub, f64x2_add, f64x2_div, f64x2_max, f64x2_min, f64x2_mul, f64x2_nearest,
    f64x2_pmin, f64x2_promote_low_f32x4, f64x2_sqrt, f64x2_sub, i8x16_swizzle, i16x8_q15mulr_sat,
    i32x4_dot_i16x8, i32x4_trunc_sat_f32x4, u8x16_popcnt, v128, v128_load, v128_store,
};

use crate::Seen;

#[target_feature(enable = "simd128")]
fn vectors() -> Vec<v128> {
    let bits: [u64; 12] = [
        0x7ff8_0000_0000_1234,
        0xfff0_0000_0000_0001,
        0x7fc0_1234_ffa0_0000,
        0x0000_0000_0000_0001,
        0x8000_0000_0000_0000,
        0x3ff0_0000_0000_0000,
        0x3f80_0000_4049_0fdb,
        0xc000_0000_bf00_0000,
        0x7ff0_0000_0000_0000,
        0x7f80_0000_ff80_0000,
        0x0010_0000_007f_ffff,
        0x4330_0000_0000_0001,
    ];
    let bits = std::hint::black_box(bits);
    let pairs = bits.iter().zip(bits.iter().cycle().skip(5));
    pairs
        .map(|(low, high)| {
            let pair = [*low, *high];
            // SAFETY: a pair of 64 bits is 128 bits, and loads need no alignment.
            unsafe { v128_load(pair.as_ptr().cast()) }
        })
        .collect()
}

#[target_feature(enable = "simd128")]
fn look(seen: &mut Seen) {
    let vectors = vectors();
    let mut note = |vector: v128| {
        let mut bytes = [0u8; 16];
        // SAFETY: there is room for 128 bits, and stores need no alignment.
        unsafe { v128_store(bytes.as_mut_ptr().cast(), vector) };
        seen.bytes(&bytes);
    };
    for a in vectors.iter().copied() {
        note(f32x4_sqrt(a));
        note(f64x2_sqrt(a));
        note(f64x2_nearest(a));
        note(f64x2_promote_low_f32x4(a));
        note(f32x4_demote_f64x2_zero(a));
        note(i32x4_trunc_sat_f32x4(a));
        note(u8x16_popcnt(a));
        for b in vectors.iter().copied() {
            note(f32x4_add(a, b));
            note(f32x4_sub(a, b));
            note(f32x4_mul(a, b));
            note(f32x4_div(a, b));
            note(f32x4_min(a, b));
            note(f32x4_max(a, b));
            note(f32x4_pmax(a, b));
            note(f64x2_add(a, b));
            note(f64x2_sub(a, b));
            note(f64x2_mul(a, b));
            note(f64x2_div(a, b));
            note(f64x2_min(a, b));
            note(f64x2_max(a, b));
            note(f64x2_pmin(a, b));
            note(i16x8_q15mulr_sat(a, b));
            note(i32x4_dot_i16x8(a, b));
            note(i8x16_swizzle(a, b));
        }
    }
}

pub(crate) fn all(seen: &mut Seen) {
    look(seen);
}
