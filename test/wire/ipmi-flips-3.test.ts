import { flips } from './ipmi-flips.ts'

flips(3)
