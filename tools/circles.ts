/** Circles in a graph of imports. */

/** Node → the nodes that it leads to. Nodes that are not keys lead nowhere. */
export type Graph = ReadonlyMap<string, Iterable<string>>

/**
 * For each node that leads back to itself and is in no circle before: the shortest way around, beginning with it. No
 * circle is found exactly where the graph has none.
 */
export function circlesIn(graph: Graph): string[][] {
  const circles: string[][] = []
  for (const node of [...graph.keys()].sort()) {
    if (circles.some((circle) => circle.includes(node))) continue
    const circle = wayBackTo(node, graph)
    if (circle !== null) circles.push(circle)
  }
  return circles
}

/** The shortest way from a node back to itself, or null. */
function wayBackTo(start: string, graph: Graph): string[] | null {
  const cameFrom = new Map<string, string>()
  let nodes = [start]
  while (nodes.length > 0) {
    const next: string[] = []
    for (const node of nodes) {
      for (const target of graph.get(node) ?? []) {
        if (target === start) return wayTo(node, cameFrom)
        if (cameFrom.has(target)) continue
        cameFrom.set(target, node)
        next.push(target)
      }
    }
    nodes = next
  }
  return null
}

function wayTo(node: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const before = cameFrom.get(node)
  return before === undefined ? [node] : [...wayTo(before, cameFrom), node]
}
