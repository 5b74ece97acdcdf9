/** Takes an error that is reported in another way: a promise or an emitter that nobody listens to ends the process. */
export function ignore(): void {}
