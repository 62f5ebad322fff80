/** The makers' numbers (IANA private enterprise numbers) that the personalities' BMCs give in Get Device ID; 0 where the maker is nobody real. */
export const MAKERS: Readonly<Record<string, number>> = { dell: 674, hpe: 11, lenovo: 19046, supermicro: 10876, ami: 20974, cray: 11 }
