const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/**
 * Text that must not leave this process: it can't be logged, concatenated or serialised by accident, only read on purpose with `reveal`.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Each call is a place to review. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [Symbol.toPrimitive](): string {
    return '[secret]'
  }

  [INSPECT](): string {
    return '[secret]'
  }
}
