/** An answer as one text, to be kept for a replay, and back. The reader believes the text: it was sealed. */
import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import type { Answer } from './answer.ts'

interface Packed {
  readonly answer: Answer
  readonly bytes?: string
}

export function packAnswer(answer: Answer): string {
  const packed: Packed =
    answer.kind === 'raw'
      ? { answer: { ...answer, bytes: new Uint8Array(0) }, bytes: toBase64Url(answer.bytes) }
      : { answer }
  return JSON.stringify(packed)
}

export function unpackAnswer(text: string): Answer {
  const { answer, bytes = '' } = JSON.parse(text) as Packed
  return answer.kind === 'raw' ? { ...answer, bytes: fromBase64Url(bytes) ?? new Uint8Array(0) } : answer
}
