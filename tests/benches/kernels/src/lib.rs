//! The numeric loops of steps, to be run natively and as WebAssembly.
//!
//! Plain functions over memory, with no allocator and no contract: what is compared is code, not the
//! wall between host and guest.
#![expect(unsafe_code, reason = "the functions are called over a raw memory")]

/// Features of a row of [`gradient`].
pub const FEATURES: usize = 16;

/// Bins of [`histogram`].
pub const BINS: usize = 256;

unsafe fn input<'a, T>(values: *const T, length: usize) -> &'a [T] {
    // SAFETY: the caller of the exported function says so.
    unsafe { std::slice::from_raw_parts(values, length) }
}

unsafe fn output<'a, T>(values: *mut T, length: usize) -> &'a mut [T] {
    // SAFETY: the caller of the exported function says so.
    unsafe { std::slice::from_raw_parts_mut(values, length) }
}

/// Adds one after the other. Writes 1 value.
///
/// # Safety
/// `x` has `n` values, `y` has 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn serial_sum(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, 1)) };
    let mut sum = 0.0;
    for value in x {
        sum += value;
    }
    y[0] = sum;
}

/// Adds in eight lanes. Writes 1 value.
///
/// # Safety
/// `x` has `n` values, `y` has 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lane_sum(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, 1)) };
    let mut lanes = [0.0; 8];
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    let mut sum = 0.0;
    for value in lanes.iter().chain(rest) {
        sum += value;
    }
    y[0] = sum;
}

/// `a * x + b`. Writes `n` values.
///
/// # Safety
/// `x` and `y` have `n` values and do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affine_map(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, n)) };
    for (y, x) in y.iter_mut().zip(x) {
        *y = 1.0625 * x + 0.375;
    }
}

/// Gradient of logistic loss over rows of [`FEATURES`]. Row `i` has the target `i % 3 == 0`. Writes
/// [`FEATURES`] values.
///
/// # Safety
/// `x` has `n` values, `y` has [`FEATURES`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gradient(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, FEATURES)) };
    let mut weights = [0.0; FEATURES];
    for (at, weight) in weights.iter_mut().enumerate() {
        *weight = 0.25 - at as f64 / 32.0;
    }
    let mut gradient = [0.0; FEATURES];
    for (at, row) in x.as_chunks::<FEATURES>().0.iter().enumerate() {
        let mut score = 0.0;
        for (weight, value) in weights.iter().zip(row) {
            score += weight * value;
        }
        let target = if at % 3 == 0 { 1.0 } else { 0.0 };
        let error = 1.0 / (1.0 + libm::exp(-score)) - target;
        for (sum, value) in gradient.iter_mut().zip(row) {
            *sum += error * value;
        }
    }
    y.copy_from_slice(&gradient);
}

/// Sums of gradients and hessians by bin, as boosted trees need them. Writes 2 [`BINS`] values.
///
/// # Safety
/// `x` has `n` values, `y` has 2 [`BINS`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn histogram(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, 2 * BINS)) };
    y.fill(0.0);
    for value in x {
        let bin = (value.to_bits() >> 44) as usize % BINS;
        let gradient = value - 0.5;
        y[2 * bin] += gradient;
        y[2 * bin + 1] += gradient * gradient;
    }
}

/// `1 / (1 + exp(-x))`. Writes `n` values.
///
/// # Safety
/// `x` and `y` have `n` values and do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigmoid_map(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, n)) };
    for (y, x) in y.iter_mut().zip(x) {
        *y = 1.0 / (1.0 + libm::exp(-x));
    }
}

/// `sqrt(x / (1 + x²))`, as norms are scaled. Writes `n` values.
///
/// # Safety
/// `x` and `y` have `n` values and do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn norm_map(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the caller's promise.
    let (x, y) = unsafe { (input(x, n), output(y, n)) };
    for (y, x) in y.iter_mut().zip(x) {
        *y = (x / (1.0 + x * x)).sqrt();
    }
}
