/**
 * The usual alternative: a minimal Nest handler that adds to a BullMQ queue. Run by the bench `accept` as a process of
 * its own; prints its URL when it listens, ends on SIGTERM. It checks nothing of what comes in.
 */
import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import type { FastifyRequest } from 'fastify';

const queue = new Queue('bench', {
  connection: { host: '127.0.0.1', port: Number(process.env.BENCH_REDIS_PORT) },
});

@Controller()
class JobsController {
  @Post('jobs')
  @HttpCode(202)
  async submit(@Req() request: FastifyRequest): Promise<{ id: string | undefined }> {
    const { id } = await queue.add('report.export', request.body);
    return { id };
  }
}

@Module({ controllers: [JobsController] })
class BenchModule {}

const app = await NestFactory.create<NestFastifyApplication>(BenchModule, new FastifyAdapter(), {
  logger: false,
});
await app.listen(0, '127.0.0.1');
process.once('SIGTERM', () => {
  void app
    .close()
    .then(() => queue.close())
    .then(() => process.exit(0));
});
process.stdout.write(`${await app.getUrl()}\n`);
