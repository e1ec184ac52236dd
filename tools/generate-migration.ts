/**
 * Writes the next migration from src/store/schema/: `npm run migrations:generate -- add_something`.
 * drizzle-kit cannot say STRICT and WITHOUT ROWID, so the new file's CREATE TABLEs get both here.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const name = process.argv[2]
if (name === undefined || !/^[a-z0-9_]+$/.test(name)) {
  console.error('usage: npm run migrations:generate -- add_something')
  process.exit(2)
}

const listed = () => new Set(readdirSync('migrations').filter((file) => file.endsWith('.sql')))
const before = listed()
execFileSync('npx', ['drizzle-kit', 'generate', '--name', name], { stdio: 'inherit' })
for (const file of listed()) {
  if (before.has(file)) continue
  const path = `migrations/${file}`
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\);/gm, ') STRICT, WITHOUT ROWID;'))
}
