//! Householder reflections, of which every factorisation here is made.

/// The reflection that takes the vector `(head, tail)` to `(beta, 0)`, with `beta` of the same length and the
/// opposite sign. Leaves `beta` in `head` and the reflection in `tail`, for [`Reflection::apply`].
///
/// None, and nothing changed, if the tail is zero already.
#[inline]
pub(crate) fn reflect(head: &mut f64, tail: &mut [f64]) -> Option<Reflection> {
    let below = norm(tail);
    if below == 0.0 {
        return None;
    }
    let beta = -libm::copysign(libm::hypot(*head, below), *head);
    let pivot = *head - beta;
    for value in tail {
        *value /= pivot;
    }
    let factor = -pivot / beta;
    *head = beta;
    Some(Reflection { factor })
}

/// `1 - factor * (1, tail) * (1, tail)'`, where `tail` is kept elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reflection {
    factor: f64,
}

impl Reflection {
    /// Reflects the vector `(head, values)`.
    #[inline]
    pub(crate) fn apply(self, tail: &[f64], head: &mut f64, values: &mut [f64]) {
        let along = self.factor * (*head + dot(tail, values));
        *head -= along;
        for (value, direction) in values.iter_mut().zip(tail) {
            *value -= along * direction;
        }
    }
}

/// The Euclidean length. Neither overflows nor vanishes where the result does not.
pub(crate) fn norm(values: &[f64]) -> f64 {
    let squares = dot(values, values);
    if squares.is_nan() || (squares > 1e-280 && squares.is_finite()) {
        return squares.sqrt();
    }
    let largest = values
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let scaled = values.iter().map(|value| value / largest);
    largest * scaled.map(|value| value * value).sum::<f64>().sqrt()
}

/// The inner product, in four sums that do not wait for each other.
#[inline]
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (left, right) = (left.chunks_exact(4), right.chunks_exact(4));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reflects_to_the_axis_and_keeps_lengths() {
        let vector = [3.0, -4.0, 12.0, 0.0, 84.0];
        let (mut head, mut tail) = (vector[0], vector[1..].to_vec());
        let reflection = reflect(&mut head, &mut tail).unwrap();
        assert_eq!(head, -norm(&vector));
        let (mut other, mut rest) = (vector[0], vector[1..].to_vec());
        reflection.apply(&tail, &mut other, &mut rest);
        assert!((other - head).abs() < 1e-13);
        assert!(rest.iter().all(|value| value.abs() < 1e-13), "{rest:?}");
        assert!(reflect(&mut head, &mut [0.0, 0.0]).is_none());
    }

    #[test]
    fn lengths_of_any_scale() {
        for scale in [1e-200, 1.0, 1e200] {
            let length = norm(&[3.0 * scale, 4.0 * scale]) / scale;
            assert!((length - 5.0).abs() < 1e-14, "{scale}: {length}");
        }
        assert_eq!(norm(&[]), 0.0);
        assert!(norm(&[f64::NAN, 1.0]).is_nan());
    }
}
