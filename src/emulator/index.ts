// What `tallygate/emulator` exports.

export type { Bill, BillItem, BillLine, BillTotal } from './bill.ts'
export { type EmulatedHost, type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts'
export type { Match, Reply, ToolCall } from './reply.ts'
export type { Round } from './round.ts'
export type { HostName, ProviderName, ReceivedRequest } from './wire.ts'
