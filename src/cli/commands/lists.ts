/** One page of a list of the API. */
interface Page<T> {
  items: T[]
  next?: string
}

/** All items of a list, page by page, at most `limit`. */
export async function allPages<T>(page: (cursor: string | undefined) => Promise<Page<T>>, limit = Number.POSITIVE_INFINITY): Promise<T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const { items: more, next } = await page(cursor)
    items.push(...more)
    cursor = next
  } while (cursor !== undefined && items.length < limit)
  return items.slice(0, limit)
}
