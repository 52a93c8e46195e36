/*
 * Imported before anything touches a file, because the pool takes its size from there with its first work. Its
 * threads wait for disks more than they compute: with `storage.sync: true` on ext4, 16 of them store 10 KB files
 * 1.4 times as fast as Node's 4 and for less processor time, because more fsyncs share a commit of the file system
 * (measured: `npm run bench -- put-small`).
 */
process.env.UV_THREADPOOL_SIZE ??= '16';
