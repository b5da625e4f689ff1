//! RSA keys that are none, or that anybody can factor.

/// The shortest and longest modulus, in bits.
const SHORTEST: usize = 2048;
const LONGEST: usize = 8192;

/// The primes that tell keys of a faulty generator: <https://doi.org/10.1145/3133956.3133969>, section 3.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// What its generator took powers of.
const GENERATOR: u32 = 65_537;

/// What is wrong with a public key of these big-endian numbers.
pub(super) fn lint(modulus: &[u8], exponent: &[u8]) -> Result<(), String> {
    let bits = match modulus.first() {
        None | Some(0) => return Err("n is not a number without leading zeros".to_owned()),
        Some(first) => modulus.len() * 8 - first.leading_zeros() as usize,
    };
    if !(SHORTEST..=LONGEST).contains(&bits) {
        return Err(format!("n has {bits} bits, not {SHORTEST} to {LONGEST}"));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !is_odd(modulus) {
        return Err("n is even".to_owned());
    }
    match exponent {
        [] | [0, ..] => return Err("e is not a number without leading zeros".to_owned()),
        [1] => return Err("e is 1: everybody can sign".to_owned()),
        long if long.len() > 4 => return Err("e is over 32 bits".to_owned()),
        even if !is_odd(even) => return Err("e is even".to_owned()),
        _ => {}
    }
    if is_weak(modulus) {
        return Err("n is of a generator whose keys can be factored (ROCA)".to_owned());
    }
    Ok(())
}

/// Whether the modulus is a power of the generator modulo every one of the primes: one in 2^28 others is.
fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.into_iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (GENERATOR % prime) % prime;
            power == rest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_keys_are_refused() {
        let mut modulus = vec![0xff; 256];
        lint(&modulus, &[1, 0, 1]).unwrap();
        lint(&modulus, &[3]).unwrap();
        for exponent in [&[][..], &[1], &[2], &[0, 3], &[1, 0, 0, 0, 1]] {
            lint(&modulus, exponent).unwrap_err();
        }
        assert!(lint(&modulus[1..], &[3]).unwrap_err().contains("2040"));
        assert!(lint(&vec![0xff; 1025], &[3]).unwrap_err().contains("8200"));
        *modulus.last_mut().unwrap() = 0xfe;
        assert!(lint(&modulus, &[3]).unwrap_err().contains("even"));
        modulus[0] = 0;
        lint(&modulus, &[3]).unwrap_err();
    }

    #[test]
    fn powers_of_the_generator_are_told() {
        // 65537^n for large n is what the faulty generator's numbers look like to small primes.
        let mut number = vec![1_u8];
        while number.len() < 256 {
            // number * 65537, big-endian: the number plus itself, two bytes further.
            let shifted = [number.clone(), vec![0, 0]].concat();
            let mut sum = [vec![0; 2], number].concat();
            let mut carry = 0_u16;
            for (a, b) in sum.iter_mut().zip(&shifted).rev() {
                let all = u16::from(*a) + u16::from(*b) + carry;
                *a = all.to_le_bytes()[0];
                carry = all >> 8;
            }
            if carry > 0 {
                sum.insert(0, 1);
            }
            number = sum;
        }
        let first = number.iter().position(|byte| *byte != 0).unwrap();
        assert!(is_weak(&number[first..]));
        *number.last_mut().unwrap() ^= 2;
        assert!(!is_weak(&number[first..]));
    }
}
