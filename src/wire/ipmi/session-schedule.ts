/**
 * When an unanswered packet is sent again, as multiples of `retransmitMs` (250 ms): after 250, 250, 300, 350, 400, 450, then every 500 ms.
 *
 * Why these. With 10 % of all packets lost each way a try fails with 1 − 0.9² = 0.19. A cold status is four exchanges (open, RAKP1, RAKP3, status); the
 * number N of failed tries before the fourth success is negative binomial: P(N=0) .4305, 1 .3272, 2 .1554, 3 .0590, 4 .0196 (sum .9917), 5 .0060.
 * So p99 has four failed tries: spread over the exchanges 4 · 250 = 1,000 ms, at worst (all in one) 250+250+300+350 = 1,150 ms: below 1.5 s.
 * Eight tries fit into the 3 s in which a BMC must show a sign of itself (sent at 0, 250, 500, 800, 1150, 1550, 2000, 2500): 0.19⁸ = 1.7 in a million
 * are called unreachable by loss alone. A BMC that is gone costs two packets a second.
 */
const GAPS: readonly number[] = [1, 1, 1.2, 1.4, 1.6, 1.8]
const LAST_GAP = 2

/** How long to wait for an answer after the `tries`-th sending (from 1), in ms. */
export function gapAfter(tries: number, retransmitMs: number): number {
  return (GAPS[tries - 1] ?? LAST_GAP) * retransmitMs
}

/** After so many unanswered sendings of RAKP1 or RAKP3 the handshake is begun afresh: the BMC may have forgotten it, or drop what is repeated. */
export const SILENT_TRIES = 4

/** How long a kept session may be silent before it is taken as lost (five sendings: 250+250+300+350+400 ms), as a multiple of `retransmitMs`. */
export const LOST_AFTER = 6.2

/**
 * The rest before the next handshake, in ms, after `handshakes` of them: the first repetition is at once, so that a flipped bit costs one round trip;
 * later ones must not turn a BMC that refuses quickly into a flood.
 */
export function restBefore(handshakes: number): number {
  return [0, 0, 100, 250][handshakes] ?? 500
}

/** The same where the BMC has no free session: they come free in seconds, not in milliseconds. */
export function restWhenFull(shortages: number): number {
  return shortages <= 1 ? 250 : 500
}
