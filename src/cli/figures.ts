export * from '../figures.ts'
