//! Floating point: every operation on every kind of number, and the functions of the standard library.

use std::hint::black_box;

use crate::Seen;

/// Numbers of every kind: zeros, subnormals, ordinary ones, infinities, and NaNs quiet and signalling, with
/// and without payload, of both signs.
fn doubles() -> Vec<f64> {
    let mut bits: Vec<u64> = vec![
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0000,
        0x7ff8_0000_0000_1234,
        0xffff_ffff_ffff_ffff,
        0x7ff0_0000_0000_0001,
        0xfff4_0000_0000_0000,
        0x0000_0000_0000_0001,
        0x000f_ffff_ffff_ffff,
        0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
    ];
    let plain = [
        0.0,
        1.0,
        0.5,
        1.5,
        2.5,
        0.1,
        3.0,
        std::f64::consts::PI,
        1e-300,
        1e300,
        9_007_199_254_740_993.0,
        2_147_483_648.5,
        f64::INFINITY,
    ];
    bits.extend(plain.iter().map(|plain| plain.to_bits()));
    bits.extend(plain.iter().map(|plain| (-plain).to_bits()));
    bits.into_iter().map(f64::from_bits).collect()
}

fn singles() -> Vec<f32> {
    let mut bits: Vec<u32> = vec![
        0x7fc0_0000,
        0xffc0_0000,
        0x7fc0_1234,
        0xffff_ffff,
        0x7f80_0001,
        0xffa0_0000,
        1,
        0x007f_ffff,
        0x0080_0000,
        0x7f7f_ffff,
    ];
    let plain = [
        0.0,
        1.0,
        0.5,
        1.5,
        2.5,
        0.1,
        3.0,
        1e-38,
        1e38,
        16_777_217.0,
        f32::INFINITY,
    ];
    bits.extend(plain.iter().map(|plain: &f32| plain.to_bits()));
    bits.extend(plain.iter().map(|plain| (-plain).to_bits()));
    bits.into_iter().map(f32::from_bits).collect()
}

pub(crate) fn arithmetic(seen: &mut Seen) {
    let numbers = black_box(doubles());
    for a in &numbers {
        for found in [
            a.sqrt(),
            a.ceil(),
            a.floor(),
            a.trunc(),
            a.round_ties_even(),
            -a,
            a.abs(),
        ] {
            seen.float(found);
        }
        for b in &numbers {
            for found in [
                a + b,
                a - b,
                a * b,
                a / b,
                a % b,
                a.min(*b),
                a.max(*b),
                a.copysign(*b),
            ] {
                seen.float(found);
            }
            seen.number(u64::from(a < b) | u64::from(a <= b) << 1 | u64::from(a == b) << 2);
            for c in &numbers {
                // Never fused, whatever the processor can do.
                seen.float(a * b + c);
                seen.float(a.mul_add(*b, *c));
            }
        }
    }
}

pub(crate) fn arithmetic_of_32_bits(seen: &mut Seen) {
    let numbers = black_box(singles());
    for a in &numbers {
        for found in [
            a.sqrt(),
            a.ceil(),
            a.floor(),
            a.trunc(),
            a.round_ties_even(),
            -a,
            a.abs(),
        ] {
            seen.single(found);
        }
        for b in &numbers {
            for found in [
                a + b,
                a - b,
                a * b,
                a / b,
                a % b,
                a.min(*b),
                a.max(*b),
                a.copysign(*b),
            ] {
                seen.single(found);
            }
            for c in &numbers {
                seen.single(a * b + c);
                seen.single(a.mul_add(*b, *c));
            }
        }
    }
}

pub(crate) fn conversions(seen: &mut Seen) {
    for a in black_box(doubles()) {
        seen.single(a as f32);
        for found in [
            a as i8 as u64,
            a as u16 as u64,
            a as i32 as u64,
            a as u32 as u64,
            a as i64 as u64,
            a as u64,
        ] {
            seen.number(found);
        }
    }
    for a in black_box(singles()) {
        seen.float(f64::from(a));
        for found in [a as i32 as u64, a as u32 as u64, a as i64 as u64, a as u64] {
            seen.number(found);
        }
    }
    for shift in 0..64 {
        let integer = black_box(0x8000_0000_0000_0401_u64 >> shift);
        seen.float(integer as f64);
        seen.float(integer as i64 as f64);
        seen.single(integer as f32);
        seen.single(integer as i64 as f32);
    }
}

/// A grid over what the functions are made for, and every number of [`doubles`].
fn grid() -> Vec<f64> {
    let mut grid = doubles();
    grid.extend((-2000..=2000).map(|step| f64::from(step) * 0.037));
    grid.extend((-300..=300).map(|power| 10f64.powi(power) * 1.7));
    black_box(grid)
}

pub(crate) fn functions(seen: &mut Seen) {
    for a in grid() {
        let found = [
            a.exp(),
            a.exp2(),
            a.exp_m1(),
            a.ln(),
            a.log2(),
            a.log10(),
            a.ln_1p(),
            a.sin(),
            a.cos(),
            a.tan(),
            a.asin(),
            a.acos(),
            a.atan(),
            a.sinh(),
            a.cosh(),
            a.tanh(),
            a.asinh(),
            a.acosh(),
            a.atanh(),
            a.cbrt(),
            a.round(),
            a.fract(),
            a.powi(3),
            a.powi(-2),
        ];
        found.into_iter().for_each(|found| seen.float(found));
        for b in [0.5, -1.5, 2.0, 7.25, 1e-3, f64::NAN] {
            let b = black_box(b);
            let found = [
                a.powf(b),
                b.powf(a),
                a.hypot(b),
                a.atan2(b),
                a.rem_euclid(b),
                a.log(b),
            ];
            found.into_iter().for_each(|found| seen.float(found));
        }
    }
}

pub(crate) fn functions_of_32_bits(seen: &mut Seen) {
    for a in grid() {
        let a = a as f32;
        let found = [
            a.exp(),
            a.exp2(),
            a.exp_m1(),
            a.ln(),
            a.log2(),
            a.log10(),
            a.ln_1p(),
            a.sin(),
            a.cos(),
            a.tan(),
            a.asin(),
            a.acos(),
            a.atan(),
            a.sinh(),
            a.cosh(),
            a.tanh(),
            a.cbrt(),
            a.powf(1.3),
            a.hypot(2.5),
        ];
        found.into_iter().for_each(|found| seen.single(found));
    }
}

/// Printing and reading: Rust's own, which knows no locale.
pub(crate) fn text(seen: &mut Seen) {
    for a in grid() {
        let text = format!("{a} {a:?} {a:e} {a:.3}");
        seen.text(&text);
        let read: f64 = text
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0);
        seen.float(read);
    }
}
