// What `tallygate/emulator` exports.

export type { Bill, BillItem, BillLine, BillTotal } from './bill.ts'
export { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts'
export type { Match, Reply, ToolCall } from './reply.ts'
export type { ProviderName, ReceivedRequest } from './wire.ts'
