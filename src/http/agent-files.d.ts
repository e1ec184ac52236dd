/** The companion as one file, made by tools/build-agent.ts before the Worker is bundled. */
declare module '#agent-files' {
  /** An ES module for Node 20 or later. */
  export const script: string
  /** Lines of `sha256sum`, one for each file under /agent/. */
  export const checksums: string
}
