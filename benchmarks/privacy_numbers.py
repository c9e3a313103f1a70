"""Identity numbers made by their issuers' rules, each with a twin of the same form that breaks them.

Used by `benchmarks.privacy`. The rules are written here a second time and the other way round (a check
digit is made, not tested), so that an error in `flows.ingest.checksums` shows.
"""

import random
import string
from collections.abc import Callable

Pair = tuple[str, str]  # true, broken


def _digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(n))


def _grouped(text: str, size: int, rng: random.Random) -> str:
    """Write a number in groups or in one piece, as people do."""
    between = rng.choice(["", " "])
    return between.join(text[at : at + size] for at in range(0, len(text), size))


def _other_digit(digit: str, rng: random.Random) -> str:
    return str((int(digit) + rng.randint(1, 9)) % 10)


def card(rng: random.Random) -> Pair:
    """Visa or Mastercard by Luhn."""
    body = rng.choice(["4", "51", "55"])
    body += _digits(rng, 15 - len(body))
    total = sum(sum(divmod(int(char) * (2 - at % 2), 10)) for at, char in enumerate(body))
    check = str(-total % 10)
    return _grouped(body + check, 4, rng), _grouped(body + _other_digit(check, rng), 4, rng)


def iban(rng: random.Random) -> Pair:
    """German IBAN by mod 97."""
    account = _digits(rng, 18)
    check = 98 - int(account + "131400") % 97
    wrong = (check + rng.randint(1, 95) - 2) % 97 + 2
    return tuple(_grouped(f"DE{value:02d}{account}", 4, rng) for value in (check, wrong))  # type: ignore[return-value]


def us_ssn(rng: random.Random) -> Pair:
    """In an issued range, and in one that is never issued."""
    area = rng.choice([number for number in range(1, 900) if number != 666])
    tail = f"{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"
    return f"{area:03d}-{tail}", f"{rng.choice([0, 666, 900, 950]):03d}-{tail}"


def uk_nino(rng: random.Random) -> Pair:
    """An allotted prefix, and one that is not."""
    tail = f"{_digits(rng, 6)}{rng.choice('ABCD')}"
    return _grouped(f"AB{tail}", 2, rng), _grouped(f"{rng.choice(['BG', 'GB', 'NK', 'QQ'])}{tail}", 2, rng)


def es_dni(rng: random.Random) -> Pair:
    """The letter of the remainder by 23, and another."""
    letters, number = "TRWAGMYFPDXBNJZSQVHLCKE", _digits(rng, 8)
    right = letters[int(number) % 23]
    return number + right, number + rng.choice(letters.replace(right, ""))


def de_tax_id(rng: random.Random) -> Pair:
    """Ten digits of which one stands twice, and the check digit by ISO 7064 mod 11,10."""
    while True:
        chosen = rng.sample(string.digits, 9)
        ten = "".join(rng.sample([*chosen, rng.choice(chosen)], 10))
        if ten[0] != "0":
            break
    product = 10
    for char in ten:
        product = ((int(char) + product) % 10 or 10) * 2 % 11
    check = str((11 - product) % 10)
    return ten + check, ten + _other_digit(check, rng)


def fr_nir(rng: random.Random) -> Pair:
    """The key by mod 97."""
    number = f"{rng.choice('12')}{_digits(rng, 2)}{rng.randint(1, 12):02d}{rng.randint(1, 95):02d}{_digits(rng, 6)}"
    key = 97 - int(number) % 97
    return f"{number}{key:02d}", f"{number}{(key + rng.randint(1, 95)) % 97 + 1:02d}" if key else number


def nl_bsn(rng: random.Random) -> Pair:
    """By the test of eleven, beside its name."""
    while True:
        eight = _digits(rng, 8)
        check = sum(weight * int(char) for weight, char in zip(range(9, 1, -1), eight, strict=True)) % 11
        if check < 10 and eight[0] != "0":
            return f"BSN {eight}{check}", f"BSN {eight}{_other_digit(str(check), rng)}"


MADE: dict[str, Callable[[random.Random], Pair]] = {
    "card": card, "iban": iban, "us_ssn": us_ssn, "uk_nino": uk_nino, "es_dni": es_dni,
    "de_tax_id": de_tax_id, "fr_nir": fr_nir, "nl_bsn": nl_bsn,
}  # fmt: skip
