/** Writes docs/event-catalogue.md from the catalogue. */
import { writeFile } from 'node:fs/promises'
import { eventCatalogueDocument } from '../src/events/catalogue-document.ts'

await writeFile(new URL('../docs/event-catalogue.md', import.meta.url), eventCatalogueDocument())
