import { FrameError } from './failure.ts'

/**
 * Reads a layout from its beginning to its end; numbers are little-endian, as everywhere in IPMI but in ASF's header.
 * Every read past the end throws FrameError `short`; `end` throws `long` where bytes are left over. Nothing is copied.
 */
export class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1))
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#step(2))
  }

  u24(): number {
    return this.#bytes.readUIntLE(this.#step(3), 3)
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#step(4))
  }

  /** The next `count` bytes: a view, not a copy. */
  take(count: number): Buffer {
    const at = this.#step(count)
    return this.#bytes.subarray(at, at + count)
  }

  /** Reserved bytes: their value says nothing (the specification lets receivers ignore them). */
  skip(count: number): void {
    this.#step(count)
  }

  /** All bytes that are left: a view, not a copy. */
  rest(): Buffer {
    return this.take(this.left)
  }

  /** Throws `long` where anything is left over. */
  end(): void {
    if (this.left > 0) throw new FrameError('long', `${this.left} bytes after the end of the layout`)
  }

  #step(count: number): number {
    const at = this.#at
    if (at + count > this.#bytes.length) throw new FrameError('short', `${count} bytes wanted at ${at}, ${this.left} left`)
    this.#at = at + count
    return at
  }
}
