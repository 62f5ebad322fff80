#!/usr/bin/env node
// `npm run build`: dependencies when missing, then src/ → dist/.
import { setup } from './lib/setup.mjs'
import { fail } from './lib/steps.mjs'

setup({ forceBuild: true }).catch(fail)
